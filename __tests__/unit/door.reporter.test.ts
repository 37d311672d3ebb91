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

const formerOf = (...processes: HAProxyProcess[]) => Object.assign(new Set(processes), { areAll: true });

it('counts a request once in reports that overlap, with a reload between them', async () => {
  const [before, after] = [processOf(1, 100), processOf(2, 7)];
  const haproxy = { current: before.process, former: formerOf(), farewells: new Feed() };
  const reporter = new Reporter(new DoorDisk(folder), haproxy as unknown as HAProxy, new SeededRandom());
  const routes = { count: { term: 1, n: 1 }, ...routesOf([{ uid: 'uid-crm', name: 'crm' }], {}) };
  const report = () => reporter.report({ version: '1.0.0', table: null, isSecure: false, certificates: [], routes });
  const first = report();
  Object.assign(haproxy, { current: after.process, former: formerOf(before.process) });
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

it('takes no process for ended that was there before it, until HAProxy has said which ones there are', async () => {
  const [former, current] = [processOf(3, 40), processOf(4, 2)];
  const routes = { count: { term: 1, n: 1 }, ...routesOf([{ uid: 'uid-crm', name: 'crm' }], {}) };
  const disk = new DoorDisk(mkdtempSync(path.join(folder, 'again-')));
  const requestsOf = async (haproxy: object) => {
    const reporter = new Reporter(disk, { farewells: new Feed(), ...haproxy } as HAProxy, new SeededRandom());
    const report = reporter.report({ version: '1.0.0', table: null, isSecure: false, certificates: [], routes });
    await new Promise(setImmediate);
    former.answer();
    current.answer();
    return (await report).apps['uid-crm'][0];
  };
  expect(await requestsOf({ current: former.process, former: formerOf() })).toBe(40);
  // Started again, after a reload that it has not seen.
  const notYet = Object.assign(formerOf(), { areAll: false });
  expect(await requestsOf({ current: current.process, former: notYet })).toBe(42);
  expect(await requestsOf({ current: current.process, former: formerOf(former.process) })).toBe(42);
  expect(await requestsOf({ current: current.process, former: formerOf() })).toBe(42);
});
