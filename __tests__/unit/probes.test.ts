import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createProbes, liveness, type ProbeState, readiness } from '../../src/server/observability/probes';
import { ask } from '../support/http';

const SUPERVISOR: ProbeState = { main: 'running', begun: true, loaded: true, role: null };
const WORKER: ProbeState = { main: 'running', begun: true, loaded: null, role: 'holder' };

describe('liveness', () => {
  it.each<[string, Partial<ProbeState>, boolean]>([
    ['nothing is there yet', { main: undefined, begun: false, loaded: false }, true],
    ['the main app installs or upgrades', { main: 'initialized', begun: false, loaded: false }, true],
    ['definitions cannot be read', { loaded: false }, true],
    ['the main app restarts', { main: 'commanding' }, true],
    // The core never tries again.
    ['the main app could not start', { main: 'error', begun: false, loaded: false }, false],
    ['the main app failed, with apps running beside it', { main: 'error' }, true],
  ])('while %s', (_, sight, ok) => {
    expect(liveness({ ...SUPERVISOR, ...sight }).ok).toBe(ok);
    expect(liveness({ ...WORKER, ...sight }).ok).toBe(ok);
  });
});

describe('readiness', () => {
  it.each<[string, ProbeState, string]>([
    ['a Supervisor', SUPERVISOR, 'ready'],
    ['a Supervisor whose main app restarts', { ...SUPERVISOR, main: 'commanding' }, 'ready'],
    ['a Supervisor before its first load', { ...SUPERVISOR, loaded: false }, 'loading'],
    ['a Supervisor that starts', { ...SUPERVISOR, begun: false, loaded: false }, 'starting'],
    ['a Worker with the lease', WORKER, 'ready'],
    ['a Worker without Redis', { ...WORKER, role: 'alone' }, 'alone'],
    ['a Worker that starts', { ...WORKER, begun: false, role: undefined }, 'starting'],
    ['a Worker that could not renew its lease', { ...WORKER, role: 'holding' }, 'ready'],
    ['a Worker that was displaced', { ...WORKER, role: 'ending' }, 'standby'],
    ['a Worker that can host no more', { ...WORKER, role: 'spent' }, 'spent'],
    ['a Worker that has left', { ...WORKER, role: undefined }, 'joining'],
    ['a standby, which hosts nothing', { ...WORKER, role: 'challenger' }, 'standby'],
    ['one process in shared memory', { ...WORKER, loaded: true }, 'ready'],
    ['one process in shared memory before its first load', { ...WORKER, loaded: false }, 'loading'],
  ])('of %s', (_, sight, state) => {
    expect(readiness(sight)).toEqual({ ok: ['ready', 'alone'].includes(state), state });
  });
});

describe('over HTTP', () => {
  let sight = SUPERVISOR;
  let server: http.Server;
  let url: string;

  beforeAll(async () => {
    const probes = createProbes('/api', () => sight);
    server = http.createServer((req, res) => {
      if (!probes(req, res)) res.end('the core');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise((resolve) => server.close(resolve)));

  it('200 and 503, never from a cache', async () => {
    sight = { ...SUPERVISOR, loaded: false };
    expect(await ask(url, '/api/__live')).toMatchObject({ status: 200, json: { state: 'live' } });
    expect(await ask(url, '/api/__ready?x')).toMatchObject({
      status: 503,
      json: { state: 'loading' },
      headers: { 'cache-control': 'no-store' },
    });
    sight = SUPERVISOR;
    expect(await ask(url, '/api/__ready')).toMatchObject({ status: 200 });
    expect(await ask(url, '/api/__ready', { method: 'HEAD' })).toMatchObject({ status: 200, text: '' });
  });

  it.each(['/api/__ready/', '/api/__ready2', '/api/__app/crm/__ready', '/__ready', '/api/app:getInfo'])(
    '%s is left to the core',
    async (path) => {
      expect((await ask(url, path)).text).toBe('the core');
    },
  );

  it('only GET and HEAD', async () => {
    expect((await ask(url, '/api/__live', { method: 'POST' })).text).toBe('the core');
  });
});
