import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it, vi } from 'vitest';
import { freePort } from '../../scripts/fleet';
import { systemClock } from '../../src/server/clock';
import { doorConfig } from '../../src/server/config/door';
import { Certificates } from '../../src/server/door/certificates';
import { DoorDisk } from '../../src/server/door/disk';
import { HAProxy } from '../../src/server/door/haproxy';
import type { Identity } from '../../src/server/door/haproxy-process';
import { wantedOf } from '../../src/server/door/wanted';
import type { Routes } from '../../src/shared/routes';
import { Echo, routeOf, TestDoor, TestSocket, tableOf } from '../support/door-process';
import { recordedLog } from '../support/log';

/** A machine may be loaded. */
const SLOWLY = { timeout: 20_000 };
const WEAK = ['req', '-x509', '-newkey', 'rsa:1024', '-nodes', '-subj', '/CN=weak'];

/** What becomes of a running HAProxy: whoever starts it, and whenever the program beside it comes and goes. */
let [module, one, two]: Echo[] = [];
let door: TestDoor;
let driver: HAProxy;

beforeAll(async () => {
  [module, one, two] = await Promise.all(['module', 'env_a', 'env_b'].map((name) => new Echo(name).start()));
});
afterAll(() => Promise.all([module, one, two].map((echo) => echo.stop())));

beforeEach(async () => {
  const env = {
    APP_SUPERVISOR_DOOR_HTTPS: `127.0.0.1:${await freePort()}`,
    APP_SUPERVISOR_DOOR_CERTIFICATES: '/nowhere',
  };
  door = await TestDoor.make({ supervisors: [module.url], env });
  driver = take();
  await driver.want(wanted(tableOf([routeOf('crm', ['env_a'])], { env_a: one.url })));
  await door.haproxy.start();
  await isDriven(driver);
});
afterEach(async () => {
  driver.close();
  await door.stop();
});

/** As a feeder does that was started now. */
function take(): HAProxy {
  const taken = new HAProxy(new DoorDisk(door.folder), recordedLog(), systemClock);
  taken.open();
  return taken;
}

const wanted = (routes: Routes, certificates: ReadonlyMap<string, string> = new Map()) =>
  wantedOf(doorConfig({ ...door.env, APP_SUPERVISOR_DOOR_FOLDER: door.folder }), routes, certificates, false);
const isDriven = (haproxy: HAProxy) => vi.waitFor(() => expect(haproxy.current).not.toBeNull(), SLOWLY);
/** Its master may still be starting: then it is reloaded a moment after `want` has ended. */
const isFollowed = ({ pid }: Identity) =>
  vi.waitFor(() => expect([undefined, pid]).not.toContain(driver.current?.identity.pid), SLOWLY);

it('changes apps while HAProxy runs, in the same process', async () => {
  const { identity } = driver.current!;
  expect(await door.by('/api/x?__appName=crm')).toBe('env_a');
  expect(await door.by('/api/x?__appName=shop')).toBe('module');
  await driver.want(wanted(tableOf([routeOf('shop', ['env_a'])], { env_a: one.url })));
  expect(await door.by('/api/x?__appName=crm')).toBe('module');
  expect(await door.by('/api/x?__appName=shop')).toBe('env_a');
  expect(driver.current?.identity).toEqual(identity);
});

it('reloads for another environment, and keeps sockets that are open', async () => {
  const socket = await TestSocket.open(door.port, 'crm');
  const { identity } = driver.current!;
  const both = { env_a: one.url, env_b: two.url };
  await driver.want(wanted(tableOf([routeOf('crm', ['env_b'])], both)));
  await isFollowed(identity);
  // The former process may have taken a connection before it left.
  await vi.waitFor(async () => expect(await door.by('/api/x?__appName=crm')).toBe('env_b'), SLOWLY);
  expect(await socket.echoes()).toBe(true);
  // The former process ends with its last socket.
  expect(driver.former.size).toBe(1);
  socket.close();
  await vi.waitFor(() => expect(driver.former.size).toBe(0), SLOWLY);
});

it('takes over what runs as it is, and changes no more than what differs', async () => {
  const { identity } = driver.current!;
  driver.close();
  const socket = await TestSocket.open(door.port, 'crm');
  const next = take();
  await next.want(wanted(tableOf([routeOf('crm', ['env_a']), routeOf('shop', ['env_a'])], { env_a: one.url })));
  await isDriven(next);
  await vi.waitFor(async () => expect(await door.by('/api/x?__appName=shop')).toBe('env_a'), SLOWLY);
  expect(next.current?.identity).toEqual(identity);
  expect(await socket.echoes()).toBe(true);
  next.close();
});

it('finds former processes that it has not seen leave, and keeps them when HAProxy is reloaded again', async () => {
  const socket = await TestSocket.open(door.port, 'crm');
  const { identity } = driver.current!;
  driver.close();
  const reloaded = async () => {
    const before = driver.current?.identity ?? identity;
    await door.reload();
    await isFollowed(before);
  };
  await door.reload();
  driver = take();
  const isFound = () =>
    vi.waitFor(() => {
      expect([...driver.former].map((process) => process.identity)).toContainEqual(identity);
      expect(driver.former.areAll).toBe(true);
    }, SLOWLY);
  await isFound();
  const by = () => [...driver.former].find((process) => process.identity.pid === identity.pid)!;
  const first = by();
  await reloaded();
  await vi.waitFor(() => expect(first.socket.isOpen).toBe(false), SLOWLY);
  await isFound();
  // Of each process there is one.
  const pids = [...driver.former].map((process) => process.identity.pid);
  expect(new Set(pids).size).toBe(pids.length);
  expect((await by().state()).isLeaving).toBe(true);
  expect(await socket.echoes()).toBe(true);
  socket.close();
  await vi.waitFor(() => expect([driver.former.size, driver.former.areAll]).toEqual([0, true]), SLOWLY);
});

it('follows a reload that somebody else has asked for', async () => {
  const { identity } = driver.current!;
  const socket = await TestSocket.open(door.port, 'crm');
  await door.reload();
  await isFollowed(identity);
  await driver.want(wanted(tableOf([routeOf('shop', ['env_a'])], { env_a: one.url })));
  expect(await door.by('/api/x?__appName=shop')).toBe('env_a');
  expect(await socket.echoes()).toBe(true);
});

it('finds HAProxy again that was killed, and that has started from what is on disk', async () => {
  await driver.want(wanted(tableOf([routeOf('shop', ['env_a'])], { env_a: one.url })));
  const { identity } = driver.current!;
  await door.haproxy.kill();
  await vi.waitFor(() => expect(driver.current).toBeNull(), SLOWLY);
  await door.haproxy.start();
  expect(await door.by('/api/x?__appName=shop')).toBe('env_a');
  await isDriven(driver);
  expect(driver.current?.identity).not.toEqual(identity);
});

it('goes on with the former configuration if the new one is refused', async () => {
  const refused = wanted(tableOf([routeOf('crm', ['env_a'])], { env_a: one.url }));
  const configuration = `${refused.files['haproxy.cfg']}  no-such-word\n`;
  await driver.want({ ...refused, mark: 'refused', files: { ...refused.files, 'haproxy.cfg': configuration } });
  await vi.waitFor(() => expect(driver.refusal).toMatch(/no-such-word/), SLOWLY);
  expect(await door.by('/api/x?__appName=crm')).toBe('env_a');
  // Apps go on to change, and HAProxy would start.
  const next = wanted(tableOf([routeOf('shop', ['env_a'])], { env_a: one.url }));
  await driver.want({ ...next, mark: 'refused', files: { ...next.files, 'haproxy.cfg': configuration } });
  expect(await door.by('/api/x?__appName=shop')).toBe('env_a');
  await door.haproxy.kill();
  await vi.waitFor(() => expect(driver.current).toBeNull(), SLOWLY);
  await door.haproxy.start();
  expect(await door.by('/api/x?__appName=shop')).toBe('env_a');
});

it('learns which certificate HAProxy refuses, and that Node takes', async () => {
  execFileSync('openssl', [...WEAK, '-keyout', 'weak.key', '-out', 'weak.pem'], { cwd: door.folder, stdio: 'pipe' });
  const certificates = new Certificates(door.folder, new DoorDisk(door.folder), recordedLog());
  expect(certificates.look(Date.now())).toBe(true);
  const answers: string[] = [];
  driver.refusals.listen((answer) => answers.push(answer));
  await driver.want(wanted(tableOf([], {}), certificates.texts));
  await vi.waitFor(() => expect(answers).toHaveLength(1), SLOWLY);
  expect(certificates.refuse(answers[0])).toBe(true);
  expect(certificates.texts.size).toBe(0);
  certificates.look(Date.now());
  expect(certificates.found).toMatchObject([{ file: 'weak.pem', problem: 'refused' }]);
  expect(readdirSync(path.join(door.folder, 'certificates'))).toEqual([]);
});

it('changes what runs where the disk is full, and leaves the files as they were', async () => {
  const file = path.join(door.folder, 'apps.map');
  const before = readFileSync(file, 'utf8');
  const write = vi.spyOn(DoorDisk.prototype, 'write').mockImplementation(() => {
    throw new Error('ENOSPC: no space left on device');
  });
  await driver.want(wanted(tableOf([routeOf('shop', ['env_a'])], { env_a: one.url })));
  // It is written once there is room again.
  const left = readFileSync(file, 'utf8');
  write.mockRestore();
  expect(left).toBe(before);
  expect(await door.by('/api/x?__appName=shop')).toBe('env_a');
});
