import { mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { DoorDisk } from '../../src/server/door/disk';
import { HAProxy, isTooOld } from '../../src/server/door/haproxy';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';

/** What `nocobase-door` does and says where it finds no HAProxy that it can drive, or only a part of it. With a real one: integration/door.process.test.ts. */
const folder = mkdtempSync(path.join(tmpdir(), 'door-haproxy-'));
afterAll(() => rmSync(folder, { recursive: true }));

it('one sentence says, once, that HAProxy does not run, and what starts it', async () => {
  const [clock, log] = [new FakeClock(), recordedLog()];
  const haproxy = new HAProxy(new DoorDisk(folder), log, clock);
  const look = () => haproxy.want({ mark: 'm', files: {}, maps: {} as never });
  await look();
  clock.pass(9_999);
  await look();
  // It may only be starting.
  expect(log.lines).toEqual([]);
  for (let times = 0; times < 3; times++) {
    clock.pass(1);
    await look();
  }
  expect(log.at('error')).toEqual([
    `HAProxy does not run. Start version 3.0 or later by "haproxy -W -S ${folder}/master.sock,mode,600 -f ${folder}/haproxy.cfg".`,
  ]);
});

const NOTHING = { apps: new Map(), hosts: new Map(), pins: new Map(), names: new Map() };

/** A process that serves, and its master, which ends a connection without an answer until it `answers`. */
async function startParts() {
  const parts = { answers: false, asked: 0, mark: 'former', pid: 1, close: () => servers.map((one) => one.close()) };
  const answerOf = (command: string): string => {
    if (command.startsWith('show env')) return `DOOR_MARK=${parts.mark}`;
    return command === 'show info' ? `Version: 3.0.11\nPid: ${parts.pid}\nStart_time_sec: 1\nStopping: 0` : '';
  };
  const process = (socket: net.Socket) =>
    socket.on('data', (text) => {
      for (const command of String(text).trim().split('\n')) socket.write(`${answerOf(command)}\n> `);
    });
  const master = (socket: net.Socket) =>
    socket.on('data', (text) => {
      if (!String(text).startsWith('reload')) return socket.destroy();
      parts.asked++;
      if (!parts.answers) return socket.destroy();
      Object.assign(parts, { mark: 'm', pid: 2 });
      socket.end('Success=1\n');
    });
  const servers = await Promise.all(
    Object.entries({ 'haproxy.sock': process, 'master.sock': master }).map(async ([name, serve]) => {
      const server = net.createServer(serve);
      await new Promise<void>((resolve) => server.listen(path.join(folder, name), resolve));
      return server;
    }),
  );
  return parts;
}

it('a master that has not answered, as one that is executed anew, has refused nothing: it is asked again at once', async () => {
  const [clock, log, parts] = [new FakeClock(), recordedLog(), await startParts()];
  const haproxy = new HAProxy(new DoorDisk(folder), log, clock);
  const look = () => haproxy.want({ mark: 'm', files: {}, maps: NOTHING });
  await look();
  await look();
  expect([parts.asked, haproxy.refusal, haproxy.current?.identity.pid, log.at('error')]).toEqual([2, null, 1, []]);
  clock.pass(10_000);
  await look();
  expect(log.at('error')).toEqual([
    expect.stringMatching(/^The master of HAProxy does not answer \(.+\)\. Start version 3\.0/),
  ]);
  parts.answers = true;
  await look();
  expect(haproxy.current?.identity.pid).toBe(2);
  haproxy.close();
  parts.close();
});

it.each([
  ['2.6.12-1+deb12u3', true],
  ['2.9.15', true],
  ['3.0.11-1+deb13u5', false],
  ['3.2.0', false],
])('HAProxy %s is too old: %s', (version, expected) => {
  expect(isTooOld(version)).toBe(expected);
});
