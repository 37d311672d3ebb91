import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { DoorDisk } from '../../src/server/door/disk';
import { HAProxy, isTooOld } from '../../src/server/door/haproxy';
import { FakeClock } from '../support/clock';
import { recordedLog } from '../support/log';

/** What `nocobase-door` says where it finds no HAProxy that it can drive. With a real one: integration/door.process.test.ts. */
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

it.each([
  ['2.6.12-1+deb12u3', true],
  ['2.9.15', true],
  ['3.0.11-1+deb13u5', false],
  ['3.2.0', false],
])('HAProxy %s is too old: %s', (version, expected) => {
  expect(isTooOld(version)).toBe(expected);
});
