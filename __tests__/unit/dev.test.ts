import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { changedBetween, type Snapshot, snapshotOf } from '../../scripts/dev/changes';
import { type Concerned, concernedBy } from '../../scripts/dev/concerned';
import { installDist } from '../../scripts/dev/install';
import { developSince } from '../../scripts/dev/loop';
import { Restarts } from '../../scripts/dev/restarts';

/** The loop of `npm run dev`, with a build and processes that are played; __tests__/long/dev.test.ts has real ones. */
const FOLDER = fs.mkdtempSync(path.join(tmpdir(), 'dev-'));
const file = (name: string) => path.join(FOLDER, name);
const write = (name: string, text: string) => {
  fs.mkdirSync(path.dirname(file(name)), { recursive: true });
  fs.writeFileSync(file(name), text);
};

beforeEach(() => fs.rmSync(FOLDER, { recursive: true, force: true }));
afterAll(() => fs.rmSync(FOLDER, { recursive: true, force: true }));

describe('changed files', () => {
  it('include every file that was written, replaced, added or removed, and no temporary files of editors', () => {
    for (const name of ['ui/same.ts', 'ui/written.ts', 'ui/replaced.ts', 'ui/removed.ts']) write(name, 'old');
    const before = snapshotOf(FOLDER);
    expect(changedBetween(before, snapshotOf(FOLDER))).toEqual([]);

    write('ui/written.ts', 'longer');
    write('ui/replaced.ts.new', 'new');
    fs.renameSync(file('ui/replaced.ts.new'), file('ui/replaced.ts'));
    fs.rmSync(file('ui/removed.ts'));
    write('server/new/added.ts', '');
    for (const name of ['.written.ts.swp', 'written.ts~', '#written.ts#', 'written.ts.tmp']) write(`ui/${name}`, '');
    expect(changedBetween(before, snapshotOf(FOLDER))).toEqual([
      'server/new/added.ts',
      'ui/removed.ts',
      'ui/replaced.ts',
      'ui/written.ts',
    ]);
  });
});

describe('effects of a change', () => {
  it.each([
    [['ui/apps/columns.tsx', 'client/index.tsx', 'client-v2/index.tsx', 'locale/en-US.json'], []],
    [['server/supervisor/view.ts'], ['supervisor', 'local']],
    [
      ['server/worker/lease.ts', 'ui/host.tsx'],
      ['worker', 'local'],
    ],
    [
      ['server/worker/lease.ts', 'server/supervisor/view.ts'],
      ['worker', 'local', 'supervisor'],
    ],
    [['server/protocol/keys.ts'], ['supervisor', 'worker', 'local']],
    [['server/plugin.ts'], ['supervisor', 'worker', 'local']],
    [['shared/types.ts'], ['supervisor', 'worker', 'local']],
  ])('%j: %j', (changed, parts) => {
    expect(concernedBy(changed)).toEqual({ parts, upgrade: false });
  });

  it('upgrades databases if tables have changed', () => {
    expect(concernedBy(['server/core/collections/apps.ts']).upgrade).toBe(true);
  });
});

describe('served files', () => {
  it('are updated if they differ, keep the chunks of open pages, and ignore source maps', () => {
    const [built, served] = [file('built'), file('served')];
    for (const [name, text] of Object.entries({
      'client/index.js': 'new',
      'client/1.b.js': 'b',
      'server/index.js': 's',
    })) {
      write(`built/${name}`, text);
      write(`built/${name}.map`, text);
    }
    for (const [name, text] of Object.entries({
      'client/index.js': 'old',
      'client/1.a.js': 'a',
      'server/index.js': 's',
    }))
      write(`served/${name}`, text);
    // An entry comes after the chunks that it asks for.
    expect(installDist(built, served)).toEqual(['client/1.b.js', 'client/index.js']);
    expect(fs.readFileSync(path.join(served, 'client/index.js'), 'utf8')).toBe('new');
    expect(fs.readdirSync(path.join(served, 'client')).sort()).toEqual([
      '1.a.js',
      '1.b.js',
      '1.b.js.map',
      'index.js',
      'index.js.map',
    ]);
    expect(installDist(built, served)).toEqual([]);
  });
});

describe('the loop', () => {
  interface World {
    /** What each look at the files finds; the loop ends after the last. */
    looks: Array<Record<string, number>>;
    /** What is wrong with each build. */
    problems?: string[][];
    /** What differs after each build. */
    files?: string[][];
  }

  async function play({ looks, problems = [], files = [] }: World) {
    const abort = new AbortController();
    const done: string[] = [];
    const said: string[] = [];
    const snapshot = (look: Record<string, number>): Snapshot =>
      new Map(Object.entries(look).map(([k, v]) => [k, `${v}`]));
    const [first, ...rest] = looks;
    let builds = 0;
    await developSince(snapshot(first), {
      look: () => {
        const look = rest.shift()!;
        if (!rest.length) abort.abort();
        return snapshot(look);
      },
      build: async () => {
        done.push('build');
        return problems[builds++] ?? [];
      },
      install: () => {
        done.push('install');
        return files.shift() ?? [];
      },
      restart: ({ parts }: Concerned) => {
        done.push(`restart ${parts.join()}`);
        return parts;
      },
      print: (line) => said.push(line.replace(/\d+ ms/, '… ms')),
      signal: abort.signal,
      pause: async () => {},
    });
    return { done, said };
  }

  it('builds once the files are quiet', async () => {
    const a = (version: number) => ({ 'ui/a.ts': version });
    const { done } = await play({ looks: [a(1), a(1), a(2), a(3), a(3), a(3)] });
    expect(done).toEqual(['build', 'install']);
  });

  it('restarts nothing for a page', async () => {
    const looks = [{ 'ui/a.ts': 1 }, { 'ui/a.ts': 2 }, { 'ui/a.ts': 2 }];
    const { done, said } = await play({ looks, files: [['client/index.js', 'client-v2/index.js']] });
    expect(done).toEqual(['build', 'install']);
    expect(said).toEqual(['src/ui/a.ts: built in … ms; client, client-v2: reload the page']);
  });

  it('restarts no process for texts, although the bundle of the server contains them, too', async () => {
    const looks = [{ 'locale/en-US.json': 1 }, { 'locale/en-US.json': 2 }, { 'locale/en-US.json': 2 }];
    const { said } = await play({ looks, files: [['locale/en-US.json', 'server/index.js']] });
    expect(said).toEqual(['src/locale/en-US.json: built in … ms; texts: reload the page']);
  });

  it('restarts what runs the changed code, and nothing if the bundle is unchanged', async () => {
    const looks = [1, 2, 2, 3, 3].map((version) => ({ 'server/worker/lease.ts': version }));
    const { done, said } = await play({ looks, files: [['server/index.js'], []] });
    expect(done).toEqual(['build', 'install', 'restart worker,local', 'build', 'install']);
    expect(said[1]).toBe('src/server/worker/lease.ts: built in … ms; nothing that runs has changed');
  });

  it('reports errors, installs and restarts nothing, and remembers the changes', async () => {
    const looks = [
      { 'server/worker/lease.ts': 1, 'ui/a.ts': 1 },
      { 'server/worker/lease.ts': 2, 'ui/a.ts': 1 },
      { 'server/worker/lease.ts': 2, 'ui/a.ts': 1 },
      { 'server/worker/lease.ts': 2, 'ui/a.ts': 2 },
      { 'server/worker/lease.ts': 2, 'ui/a.ts': 2 },
    ];
    const problems = [['src/ui/a.ts:3:10\nSyntax Error']];
    const { done, said } = await play({ looks, problems, files: [['server/index.js']] });
    expect(done).toEqual(['build', 'build', 'install', 'restart worker,local']);
    expect(said[0]).toContain('src/ui/a.ts:3:10\nSyntax Error');
    expect(said[1]).toContain('src/server/worker/lease.ts, src/ui/a.ts: built in');
  });
});

describe('restarts', () => {
  it('repeat for what changes during a start, and for what did not start with the next code', async () => {
    const [supervisor, worker] = [{ name: 'Supervisor' }, { name: 'Worker env_a' }];
    const begun: string[] = [];
    const said: string[] = [];
    let broken = true;
    const restarts = new Restarts<{ name: string }>({
      restart: async ({ name }) => {
        begun.push(name);
        await Promise.resolve();
        if (broken && name === 'Supervisor') throw new Error('Supervisor ended while it was starting.');
      },
      print: (line) => said.push(line),
      signal: new AbortController().signal,
    });
    expect(restarts.begin([supervisor])).toEqual(['Supervisor']);
    await restarts.idle();
    expect(said).toEqual(['Supervisor ended while it was starting.']);

    broken = false;
    expect(restarts.begin([worker])).toEqual(['Worker env_a', 'Supervisor']);
    restarts.begin([worker]);
    restarts.begin([worker]);
    await restarts.idle();
    expect(begun).toEqual(['Supervisor', 'Worker env_a', 'Supervisor', 'Worker env_a']);
    expect(restarts.begin([worker])).toEqual(['Worker env_a']);
    await restarts.idle();
  });
});
