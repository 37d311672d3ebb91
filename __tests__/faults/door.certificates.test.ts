import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../../scripts/fleet';
import { makeSelfSigned } from '../support/certificates';
import { Echo, TestDoor, tlsAnswer } from '../support/door-process';
import { until } from '../support/wait';

/** How soon visitors get a certificate that an operator, or a program such as Certbot, has put into the folder of a real door. */
const WITHIN = 5_000;

let module: Echo;
let door: TestDoor;
let folder: string;
let https: number;

beforeAll(async () => {
  module = await new Echo('module').start();
  https = await freePort();
  door = await TestDoor.make({ supervisors: [module.url] });
  folder = path.join(door.folder, 'of-the-operator');
  mkdirSync(folder);
  makeSelfSigned(folder, 'a', ['a.example.com']);
  door.env.APP_SUPERVISOR_DOOR_HTTPS = `127.0.0.1:${https}`;
  door.env.APP_SUPERVISOR_DOOR_CERTIFICATES = folder;
  await door.start();
});
afterAll(async () => {
  await door.stop();
  await module.stop();
});

it('a new one and a renewed one are in use within 5 s, each time', async () => {
  const took: number[] = [];
  const inUse = async (name: string, isSo: (serial: string) => boolean) => {
    const from = performance.now();
    const is = async () => {
      const { subject, serialNumber } = await tlsAnswer(https, `${name}.example.com`);
      return subject === name && isSo(serialNumber);
    };
    await until(`${name} is in use`, is);
    took.push(Math.round(performance.now() - from));
  };
  for (const name of ['b', 'c', 'd']) {
    makeSelfSigned(folder, name, [`${name}.example.com`]);
    await inUse(name, () => true);
    const { serialNumber } = await tlsAnswer(https, `${name}.example.com`);
    makeSelfSigned(folder, name, [`${name}.example.com`]);
    await inUse(name, (serial) => serial !== serialNumber);
  }
  console.log(`measured: certificates were in use after ${took.join(', ')} ms`);
  expect(Math.max(...took)).toBeLessThan(WITHIN);
});
