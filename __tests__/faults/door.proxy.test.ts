import { readdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { proxyAway } from '../integration/proxy-away-suite';
import { doorLane } from '../integration/proxy-lanes';
import { proxyPages } from '../integration/proxy-pages-suite';
import { proxyRaw } from '../integration/proxy-raw-suite';
import { proxyWeb } from '../integration/proxy-web-suite';
import { proxyWs } from '../integration/proxy-ws-suite';

/** The tests of the proxy (integration/proxy.*), with a door before it. */

/** Tests of what the Supervisor alone has or does, by title, and why there is nothing to try at a door. */
const OF_MODULE_ALONE: Record<string, string> = {
  ...because('the Supervisor avoids who has refused for 5 s; HAProxy asks by itself, each second (door.survival)', [
    'leaves the target at the first refusal and tries it again after five seconds',
    'no other: refused at first, then "unavailable" without another try',
  ]),
  ...because('the table changes: integration/door.process, door.survival', [
    'a loop of supervisors is seen at once',
    'a worker that left the table and came back at another address is found there',
    'ends when its app has left the environment, and is opened again where the app is',
    'ends on both sides when the proxy is closed',
  ]),
  ...because('a door is told of no such address', [
    'a second environment whose address is none costs the request, not the process',
    'a bad address',
  ]),
  ...because('an upload that is not complete when its answer comes stays open, until nothing has come for 600 s', [
    'a visitor that leaves an upload unfinished after its answer does not keep the worker’s connection',
    'does not keep a visitor who neither sends the rest nor leaves',
    'does not keep a visitor who leaves',
    'reaches a visitor who reads nothing before everything is written',
  ]),
  ...because('after an answer of its own, HAProxy waits for another request on the same connection', [
    'and is let go, also when it does not leave',
  ]),
  ...because('where a kept connection to a Worker ends, HAProxy ends that of the visitor, who asks again', [
    'a kept connection that went stale costs a reading request nothing, and others an honest answer',
  ]),
  ...because('a body may be slow: only silence ends it, of 600 s', [
    'a slow body ends, and the worker’s request with it',
    'a silent body ends, and the worker’s request with it',
  ]),
  ...because('HAProxy applies no rule to interim answers (docs/threat-model.md, G10)', [
    'passes at once, without the headers of the connection',
    'is nothing for a visitor of HTTP/1.0',
  ]),
  ...because('of requests that follow each other on one connection, HAProxy sends one at a time', [
    'waits for no visitor whose answers before it are under way',
  ]),
  ...because('it is a server of the main app, with nothing before it', [
    'an endless body of somebody who is not signed in',
    'a body that is too long, and here before anybody asks',
    'a form with a file, but not what is beside it (chunked: true)',
    'a form with a file, but not what is beside it (chunked: false)',
    'nobody reads a body before all of it is here, larger than what Node keeps',
    'a slow body',
    'a silent body',
    'fields of a request',
    'is the one that an absolute target names, also to find the app',
    'is the one of an absolute target for WebSockets, too',
    'is refused in front of the main app: two hosts',
    'is refused in front of the main app: a user in the target',
  ]),
  ...because('a WebSocket of which one side is closed has no time limit: Workers close theirs at once', [
    'a goodbye of the visitor that nobody answers ends both sides',
  ]),
  ...because('HAProxy takes `Upgrade: h2c` out, and a plain request is left', ['another protocol']),
  ...because('what is taken never meets the fault', ['a fault of ours']),
};

function because(reason: string, titles: string[]): Record<string, string> {
  return Object.fromEntries(titles.map((title) => [title, reason]));
}

const { lane, left } = doorLane(new Set(Object.keys(OF_MODULE_ALONE)));

/** By the name of their file, integration/proxy.*.test.ts. */
const SUITES = { web: proxyWeb, raw: proxyRaw, ws: proxyWs, pages: proxyPages, away: proxyAway };
/** Files of which nothing is tried at a door, and why. */
const WITHOUT_DOOR = {
  core: 'calls NocoBase’s own gateway in a process without a front; whether a door names the same apps is in door.requests',
};

describe.each(Object.entries(SUITES))('%s', (_, suite) => suite(lane));

it('no file of the tests of the proxy is left out without a reason', () => {
  const files = readdirSync(path.resolve(import.meta.dirname, '../integration'));
  const names = files.flatMap((file) => /^proxy\.(.+)\.test\.ts$/.exec(file)?.[1] ?? []);
  expect(names.sort()).toEqual([...Object.keys(SUITES), ...Object.keys(WITHOUT_DOOR)].sort());
});

afterAll(() => expect([...left].sort()).toEqual(Object.keys(OF_MODULE_ALONE).sort()));
