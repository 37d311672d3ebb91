import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { makeDoor } from '../../scripts/fleet/door';
import { makeSocketFolder, socketFolder } from '../../scripts/fleet/environment';

/** How `npm start` starts a door. */
let home: string;
beforeEach(() => {
  home = fs.mkdtempSync(path.join(tmpdir(), 'fleet-door-'));
});
afterEach(() => {
  for (const folder of [home, socketFolder(home)]) fs.rmSync(folder, { recursive: true, force: true });
});

const commandOf = (part: unknown) => (part as { options: { command(): unknown } }).options.command();

const doorOfTest = () =>
  makeDoor({
    home,
    port: 1,
    supervisor: 'http://127.0.0.1:2',
    keys: () => ({}),
    memoryOf: () => undefined,
  });

it('waits for the configuration of this start, and takes none from HAProxy while it runs', () => {
  const door = doorOfTest();
  const file = path.join(home, 'door/haproxy.cfg');
  fs.mkdirSync(path.dirname(file));
  fs.writeFileSync(file, 'of another start');
  const running = vi.spyOn(door.haproxy, 'running', 'get').mockReturnValue(true);
  commandOf(door.feeder);
  expect(fs.existsSync(file)).toBe(true);
  running.mockReturnValue(false);
  commandOf(door.feeder);
  expect(fs.existsSync(file)).toBe(false);
});

it('leads HAProxy to its folder also where the link is gone', () => {
  const door = doorOfTest();
  commandOf(door.haproxy);
  expect(fs.readlinkSync(path.join(socketFolder(home), 'door'))).toBe(path.join(home, 'door'));
});

it("uses no folder of sockets that is somebody else's, or open to others", () => {
  const folder = socketFolder(home);
  fs.mkdirSync(folder, { mode: 0o755 });
  makeSocketFolder(home);
  expect(fs.statSync(folder).mode & 0o777).toBe(0o700);
  fs.rmdirSync(folder);
  fs.symlinkSync(home, folder);
  expect(() => makeSocketFolder(home)).toThrow('is not a folder of yours');
  fs.rmSync(folder);
  fs.mkdirSync(folder);
  vi.spyOn(process, 'getuid').mockReturnValue(12_345);
  expect(() => makeSocketFolder(home)).toThrow('is not a folder of yours');
  vi.restoreAllMocks();
});
