import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemClock } from '../../src/server/clock';
import { doorConfig } from '../../src/server/config/door';
import { systemRandom } from '../../src/server/core/system';
import { DoorDisk } from '../../src/server/door/disk';
import { Feeder } from '../../src/server/door/feeder';
import { PUBLIC_KEY, routeOf, tableOf } from '../support/door-process';
import { recordedLog } from '../support/log';

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

const routes = tableOf([routeOf('crm', ['env_a']), routeOf('wiki', ['env_a'])], {
  env_a: 'http://a',
  env_b: 'http://b',
});
const at = new Map([...routes.apps.keys()].map((uid) => [uid, routes.count]));
const change = (work: (table: any) => void) => {
  const table = JSON.parse(fs.readFileSync(path.join(folder, 'table.json'), 'utf8'));
  work(table);
  fs.writeFileSync(path.join(folder, 'table.json'), JSON.stringify(table));
};

it('keeps the table, and of one of another release what it understands', () => {
  const disk = new DoorDisk(folder);
  expect(disk.table()).toBeNull();
  disk.keep(routes, at);
  expect(disk.table()).toMatchObject({
    count: routes.count,
    at,
    routes: { apps: routes.apps, environments: routes.environments },
  });
  change((table) => {
    table.apps[0].environments = 'everywhere';
    table.environments[1].url = 'unix:/socket';
  });
  const kept = disk.table()!;
  expect([...kept.routes!.apps.keys(), ...kept.routes!.environments.keys()]).toEqual(['uid-wiki', 'env_a']);
  change((table) => {
    table.settings = 'new';
  });
  expect(disk.table()).toEqual({ count: routes.count, routes: null, at });
});

it('writes nothing over what HAProxy has while it understands no table, until Redis answers', async () => {
  fs.writeFileSync(path.join(folder, 'haproxy.cfg'), 'of another release');
  const env = {
    APP_SUPERVISOR_DOOR_FOLDER: folder,
    APP_SUPERVISOR_DOOR_SUPERVISORS: 'http://127.0.0.1:9',
    APP_SUPERVISOR_REDIS_URL: 'redis://127.0.0.1:9',
    APP_SUPERVISOR_PUBLIC_KEY: PUBLIC_KEY,
  };
  const feeder = new Feeder(doorConfig(env), '1.0.0', recordedLog(), systemClock, systemRandom) as any;
  await feeder.apply();
  const configuration = () => fs.readFileSync(path.join(folder, 'haproxy.cfg'), 'utf8');
  expect(configuration()).toBe('of another release');
  feeder.link.routes.read = async () => 'none';
  await feeder.read();
  expect(configuration()).toContain('frontend');
  feeder.haproxy.close();
  feeder.link.close();
});
