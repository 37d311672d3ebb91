import net from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN, Api, freePort, HOST, waitFor } from '../../scripts/fleet';
import { isUp, Launcher, portOfTwo, says } from '../support/launcher';

/** `npm start` as a user meets it, with the smallest fleet. */
const launcher = new Launcher('launcher-test');

beforeAll(() => launcher.begin());
afterEach(() => launcher.endRuns());
afterAll(() => launcher.end());

describe('npm start', () => {
  it('starts everything, says where, starts again what is killed, and leaves no process after Ctrl-C', async () => {
    const port = await portOfTwo();
    const run = launcher.start(port, '--reset', '--workers', '1');
    await isUp(run);
    const url = `http://${HOST}:${port}`;
    expect(run.output()).toMatch(new RegExp(`NocoBase +${url} `));
    expect(run.output()).toContain('admin@nocobase.com / admin123');
    expect((await fetch(url)).status).toBe(200);
    expect(launcher.running()).toHaveLength(6);

    // The door, the Supervisor behind it, and a page that the Supervisor answers.
    expect((await fetch(`${url}/api/app:getLang`)).headers.get('content-type')).toContain('json');
    for (const part of ['env_a', 'redis', 'haproxy']) launcher.kill(part);
    await says(run, 'HAProxy ended (SIGKILL); starting it again in 0.2 s');
    await says(run, 'HAProxy runs again');
    for (const name of ['Worker env_a', 'Redis']) {
      await says(run, `${name} ended (SIGKILL); starting it again in 5 s`);
      await says(run, `${name} runs again`);
    }
    const api = await Api.signIn(url, ADMIN);
    const isOnline = async () => (await api.get('appEnvironments:list')).data[0].health === 'online';
    await waitFor(isOnline, { timeout: 60_000, what: 'The Worker being online again' });
    expect(launcher.running()).toHaveLength(6);

    run.process.kill('SIGINT');
    expect(await run.ended).toBe(0);
    expect(launcher.running()).toEqual([]);
  });

  it('stops what it has started when it is interrupted half-way', async () => {
    const run = launcher.start(await freePort(), '--local');
    await waitFor(() => /NocoBase\s+starting/.test(run.output()), { timeout: 200_000, what: 'The start of NocoBase' });
    run.process.kill('SIGINT');
    expect(await run.ended).toBe(0);
    expect(launcher.running()).toEqual([]);
  });

  it('ends at once when a port is taken', async () => {
    const port = await freePort();
    const other = net.createServer().listen(port, HOST);
    try {
      const run = launcher.start(port, '--local');
      expect(await run.ended).toBe(1);
      expect(run.output()).toContain(`NocoBase: port ${port} is taken`);
      expect(launcher.running()).toEqual([]);
    } finally {
      other.close();
    }
  });
});
