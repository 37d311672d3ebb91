import fs from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { ADMIN, Api, HOST, waitFor } from '../../scripts/fleet';
import { isUp, Launcher, portOfTwo, type Run, says } from '../support/launcher';

/** `npm run dev` as a developer meets it, in a clone whose sources are edited while its fleet runs. */
const launcher = new Launcher('dev-test');
const source = (name: string) => path.join(launcher.clone, 'src', name);
const STATICS = '/static/plugins/@nocobase/plugin-app-supervisor/dist';

beforeAll(() => launcher.begin());
afterEach(() => launcher.endRuns());
afterAll(() => launcher.end());

/** @returns how far the output of the run had come */
function edit(run: Run, name: string, change: (text: string) => string): number {
  const text = fs.readFileSync(source(name), 'utf8');
  const changed = change(text);
  expect(changed).not.toBe(text);
  fs.writeFileSync(source(name), changed);
  return run.output().length;
}

/** What the Workers' own line says that their start took, in seconds. */
const startsOf = (run: Run, part: string) =>
  [...run.output().matchAll(new RegExp(`${part} +ready in ([\\d.]+) s`, 'g'))].map(([, seconds]) => Number(seconds));

it('serves what is edited, restarts only what runs it, and goes on after an error', async () => {
  const port = await portOfTwo();
  const [url, workerUrl] = [port, port + 1_000].map((each) => `http://${HOST}:${each}`);
  const run = launcher.start(port, '--dev', '--reset', '--workers', '1');
  await isUp(run);
  const api = await Api.signIn(url, ADMIN);
  const begun = launcher.processes();
  const seconds = async (work: () => Promise<unknown>) => {
    const since = performance.now();
    await work();
    return (performance.now() - since) / 1_000;
  };

  // A page: under a new address, since browsers keep what has the same one.
  const addressOf = async (list: string) =>
    (await api.get(list)).data.find((plugin: any) => plugin.packageName.endsWith('plugin-app-supervisor')).url;
  const scriptsOf = async (address: string) => {
    const entry = await (await fetch(new URL(address, url))).text();
    // Chunks are named in the entry as `"name":"hash"` of `name.hash.js`.
    const folder = path.join(launcher.clone, '.fleet/plugins/@nocobase/plugin-app-supervisor/dist/client');
    const chunks = fs
      .readdirSync(folder)
      .filter((name) => /^\w+\.\w+\.js$/.test(name) && entry.includes(name.split('.')[1]));
    return Promise.all(chunks.map(async (name) => (await fetch(`${url}${STATICS}/client/${name}`)).text()));
  };
  const address = await addressOf('pm:listEnabled');
  const page = await seconds(async () => {
    edit(run, 'ui/apps/columns.tsx', (text) => text.replace("key('Version')", "key('Edited version')"));
    await waitFor(async () => (await addressOf('pm:listEnabled')) !== address, {
      timeout: 30_000,
      what: 'A new address',
    });
  });
  expect((await scriptsOf(await addressOf('pm:listEnabled'))).join()).toContain('Edited version');
  await says(run, 'src/ui/apps/columns.tsx: built in');

  // A text: the core keeps them, and reads them again here.
  const textOf = async (lang: string) => JSON.stringify((await api.get('app:getLang', { locale: lang })).data);
  expect(await textOf('en-US')).not.toContain('Zedited');
  const text = await seconds(async () => {
    edit(run, 'locale/en-US.json', (json) => json.replace('"Add environment": "', '"Add environment": "Zedited '));
    await waitFor(async () => (await textOf('en-US')).includes('Zedited'), { timeout: 30_000, what: 'The new text' });
  });
  expect(launcher.processes()).toEqual(begun);

  // The server: what runs the code is restarted, here both, and answers by it.
  const ready = "{ ok: true, state: 'ready' }";
  const answers = async (of: string, state: string) =>
    (
      await fetch(`${of}/api/__ready`)
        .then((answer) => answer.json())
        .catch(() => null)
    )?.state === state;
  const server = await seconds(async () => {
    edit(run, 'server/observability/probes.ts', (code) => code.replace(ready, ready.replace('ready', 'edited')));
    for (const of of [url, workerUrl]) {
      await waitFor(() => answers(of, 'edited'), { timeout: 200_000, what: `An answer of ${of} by the new code` });
    }
  });
  await says(run, 'restarting Supervisor, Worker env_a');
  await waitFor(() => startsOf(run, 'Worker env_a').length === 2, { timeout: 60_000, what: 'The word of its start' });

  // A wing: the other one is left alone.
  const { supervisor } = launcher.processes();
  let after = edit(
    run,
    'server/worker/tenures.ts',
    (code) => `${code}\nexport const edited = true;\nconsole.log('edited lease');\n`,
  );
  await says(run, 'src/server/worker/tenures.ts: built in', after);
  await waitFor(() => startsOf(run, 'Worker env_a').length === 3, {
    timeout: 200_000,
    what: 'The start of the Worker',
  });
  expect(launcher.processes().supervisor).toEqual(supervisor);

  // An error: it is said where, and the fleet goes on.
  const running = launcher.processes();
  after = edit(run, 'server/worker/tenures.ts', (code) => `${code}\nconst broken = = 1;\n`);
  await says(run, 'not built, what runs stays as it is', after);
  expect(run.output().slice(after)).toMatch(/src\/server\/worker\/tenures\.ts:\d+:\d+\n.*\n.*Syntax Error/);
  expect(launcher.processes()).toEqual(running);
  for (const of of [url, workerUrl]) expect(await answers(of, 'edited')).toBe(true);
  after = edit(run, 'server/worker/tenures.ts', (code) => code.replace('= = 1', '= 1'));
  await says(run, 'src/server/worker/tenures.ts: built in', after);

  const [, , alone] = startsOf(run, 'Worker env_a');
  console.log(
    `page ${page.toFixed(1)} s, text ${text.toFixed(1)} s, server ${server.toFixed(1)} s, a Worker ${alone} s`,
  );
  // In one run, on however busy a machine: about 8 s for a start where a page takes 1.
  expect(Math.max(page, text)).toBeLessThan(Math.max(3, alone / 2));
  expect(server).toBeLessThan(2 * alone + 3);

  run.process.kill('SIGINT');
  expect(await run.ended).toBe(0);
  expect(launcher.running()).toEqual([]);
});
