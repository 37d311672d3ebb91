import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DoorDisk } from '../../src/server/door/disk';

/** What a door leaves on its disk, whenever it is killed, and what it makes of what it finds there. */
let folder: string;
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(tmpdir(), 'door-disk-'));
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

it('writes what is not whole yet beside no certificate, and clears it', () => {
  const disk = new DoorDisk(folder);
  const certificates = path.join(folder, 'certificates');
  disk.write('certificates/one.pem', 'a certificate');
  expect(disk.read('certificates/one.pem')).toBe('a certificate');
  // It cannot be made where a folder is.
  fs.mkdirSync(path.join(folder, 'certificates.two.pem.new'));
  expect(() => disk.write('certificates/two.pem', 'another')).toThrow(/directory/);
  expect(fs.readdirSync(certificates)).toEqual(['one.pem']);
  fs.rmdirSync(path.join(folder, 'certificates.two.pem.new'));
  fs.writeFileSync(path.join(folder, 'haproxy.cfg.new'), 'half');
  expect(new DoorDisk(folder).list('.')).toEqual(['certificates']);
});
