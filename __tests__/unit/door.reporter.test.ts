import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { DoorDisk } from '../../src/server/door/disk';
import type { HAProxy } from '../../src/server/door/haproxy';
import type { HAProxyProcess } from '../../src/server/door/haproxy-process';
import { Reporter } from '../../src/server/door/reporter';
import { Feed } from '../../src/server/feed';
import { routesOf } from '../support/door';
import { SeededRandom } from '../support/random';

const folder = mkdtempSync(path.join(tmpdir(), 'door-reporter-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A process of HAProxy that says how many requests of `uid-crm` it has had, once it is let. */
function processOf(pid: number, requests: number) {
  const waiting: Array<() => void> = [];
  const answers = [
    `0x1: key=uid-crm use=0 exp=1 shard=0 http_req_cnt=${requests} http_err_cnt=0 http_fail_cnt=0 bytes_out_cnt=0`,
    `# pxname,svname,scur,hrsp_5xx,req_tot\ndoor,FRONTEND,0,0,${requests}`,
  ];
  const send = () => new Promise((resolve) => waiting.push(() => resolve(answers)));
  const process = { identity: { pid, startedAt: 1 }, socket: { send } } as unknown as HAProxyProcess;
  return { process, answer: () => waiting.splice(0).map((answer) => answer()) };
}

it('counts a request once in reports that overlap, with a reload between them', async () => {
  const [before, after] = [processOf(1, 100), processOf(2, 7)];
  const haproxy = { current: before.process, former: new Set(), farewells: new Feed() };
  const reporter = new Reporter(new DoorDisk(folder), haproxy as unknown as HAProxy, new SeededRandom());
  const routes = { count: { term: 1, n: 1 }, ...routesOf([{ uid: 'uid-crm', name: 'crm' }], {}) };
  const report = () => reporter.report({ version: '1.0.0', table: null, isSecure: false, certificates: [], routes });
  const first = report();
  Object.assign(haproxy, { current: after.process, former: new Set([before.process]) });
  const second = report();
  after.answer();
  await new Promise(setImmediate);
  before.answer();
  const third = Promise.all([first, second]).then(report);
  await new Promise(setImmediate);
  before.answer();
  after.answer();
  const reports = [await first, await second, await third];
  expect(reports.map(({ seq }) => seq)).toEqual([1, 2, 3]);
  expect(reports.map(({ apps, requests }) => [apps['uid-crm'][0], requests])).toEqual([
    [107, 107],
    [107, 107],
    [107, 107],
  ]);
});
