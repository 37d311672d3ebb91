import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeEach, expect, it } from 'vitest';
import { Certificates } from '../../src/server/door/certificates';
import { DoorDisk } from '../../src/server/door/disk';
import { makeSelfSigned } from '../support/certificates';
import { recordedLog } from '../support/log';

/** Which certificates a door uses, whatever becomes of the folder. */
const root = fs.mkdtempSync(path.join(tmpdir(), 'door-certificates-'));
const made = path.join(root, 'made');
fs.mkdirSync(made);
for (const name of ['one', 'two']) makeSelfSigned(made, name, [`${name}.example.com`]);
const text = (file: string) => fs.readFileSync(path.join(made, file), 'utf8');
const [cert, key] = [text('one.pem'), text('one.key')];
const now = Date.now();
const DAY = 86_400_000;

let folder: string;
let disk: DoorDisk;
let certificates: Certificates;
let count = 0;

beforeEach(() => {
  folder = path.join(root, `folder-${++count}`);
  fs.mkdirSync(folder);
  disk = new DoorDisk(path.join(root, `door-${count}`));
  certificates = new Certificates(folder, disk, recordedLog());
});
afterAll(() => fs.rmSync(root, { recursive: true }));

const put = (file: string, content: string) => {
  fs.mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
  fs.writeFileSync(path.join(folder, file), content);
};
const used = () => [...certificates.texts.keys()];
/** As HAProxy takes them. */
const keep = () => {
  for (const [name, pem] of certificates.texts) disk.write(`certificates/${name}`, pem);
};
const problems = () => Object.fromEntries(certificates.found.map(({ file, problem }) => [file, problem]));

it('uses those whose key is beside or in them, in folders of Certbot and Kubernetes, too', () => {
  expect(certificates.look(now)).toBe(false);
  expect(used()).toEqual([]);
  put('one.pem', cert);
  put('one.key', key);
  put('whole.pem', `${cert}${key}`);
  put('example.com/fullchain.pem', cert);
  put('example.com/cert.pem', cert);
  put('example.com/privkey.pem', key);
  put('secret/tls.crt', cert);
  put('secret/tls.key', key);
  expect(certificates.look(now)).toBe(true);
  expect(used()).toEqual(['example.com.fullchain.pem', 'one.pem', 'secret.tls.pem', 'whole.pem']);
  expect(certificates.found).toContainEqual({
    file: 'one.pem',
    names: ['one.example.com'],
    notAfter: expect.any(Number),
    problem: null,
    isServed: true,
  });
  expect(certificates.look(now)).toBe(false);
});

it('takes a new one, and drops one that is gone', () => {
  put('one.pem', `${cert}${key}`);
  put('two.pem', `${text('two.pem')}${text('two.key')}`);
  expect(certificates.look(now)).toBe(true);
  fs.rmSync(path.join(folder, 'one.pem'));
  expect(certificates.look(now)).toBe(true);
  expect(used()).toEqual(['two.pem']);
});

it('names what it cannot use, and goes on with what it had', () => {
  put('one.pem', `${cert}${key}`);
  certificates.look(now);
  const before = certificates.texts.get('one.pem');
  const broken: Record<string, string> = {
    unreadable: 'half of a certif',
    keyMissing: cert,
    keyDiffers: `${cert}${text('two.key')}`,
  };
  for (const [problem, content] of Object.entries(broken)) {
    put('one.pem', content);
    expect(certificates.look(now)).toBe(false);
    // Visitors get the former one.
    expect(certificates.found).toMatchObject([
      { file: 'one.pem', names: ['one.example.com'], problem, isServed: true },
    ]);
    expect(certificates.texts.get('one.pem')).toBe(before);
  }
});

it('takes none that is not valid yet, or no longer, until it is', () => {
  put('one.pem', `${cert}${key}`);
  expect(certificates.look(now - 3 * DAY)).toBe(false);
  expect(certificates.found).toMatchObject([{ problem: 'notYetValid', isServed: false }]);
  expect(certificates.look(now + 3 * DAY)).toBe(false);
  expect(problems()).toEqual({ 'one.pem': 'expired' });
  expect(used()).toEqual([]);
  expect(certificates.look(now)).toBe(true);
  // In use when it expires: visitors are warned, which says more than no answer.
  expect(certificates.look(now + 3 * DAY)).toBe(false);
  expect(certificates.found).toMatchObject([{ problem: 'expired', isServed: false }]);
  expect(used()).toEqual(['one.pem']);
});

it('keeps HTTPS where the folder was emptied or is gone, also after a restart, and says so', () => {
  put('one.pem', `${cert}${key}`);
  certificates.look(now);
  keep();
  fs.rmSync(path.join(folder, 'one.pem'));
  expect(certificates.look(now)).toBe(false);
  expect(problems()).toEqual({ 'one.pem': 'unreadable' });
  fs.rmSync(folder, { recursive: true });
  const restarted = new Certificates(folder, new DoorDisk(disk.folder), recordedLog());
  expect(restarted.texts).toEqual(certificates.texts);
  expect(restarted.look(now)).toBe(false);
  expect(restarted.found).toMatchObject([
    { file: 'one.pem', names: ['one.example.com'], problem: 'unreadable', isServed: true },
  ]);
});

it('names one that HAProxy refuses, and goes on with the former one and with all others', () => {
  put('one.pem', `${cert}${key}`);
  certificates.look(now);
  keep();
  const before = certificates.texts.get('one.pem');
  put('one.pem', `${text('two.pem')}${text('two.key')}`);
  put('one.pem.pem', `${cert}${key}`);
  put('two.pem', `${text('two.pem')}${text('two.key')}`);
  expect(certificates.look(now)).toBe(true);
  expect(certificates.refuse('unknown keyword in /certificates/one')).toBe(false);
  const place = path.join(disk.folder, 'certificates');
  for (const file of ['one.pem', 'two.pem']) {
    expect(certificates.refuse(`SSL Context '${place}/${file}': ee key too small.`)).toBe(true);
    expect(certificates.look(now)).toBe(false);
  }
  expect(used()).toEqual(['one.pem', 'one.pem.pem']);
  expect(certificates.texts.get('one.pem')).toBe(before);
  expect(problems()).toEqual({ 'one.pem': 'refused', 'one.pem.pem': null, 'two.pem': 'refused' });
  put('one.pem', `${cert}${key}`);
  put('two.pem', `${cert}${key}`);
  expect(certificates.look(now)).toBe(true);
  expect(problems()).toEqual({ 'one.pem': null, 'one.pem.pem': null, 'two.pem': null });
});

it('refuses a key that HAProxy would refuse', () => {
  const weak = [
    'req',
    '-x509',
    '-newkey',
    'rsa:512',
    '-nodes',
    '-subj',
    '/CN=weak',
    '-keyout',
    'weak.key',
    '-out',
    'weak.pem',
  ];
  execFileSync('openssl', weak, { cwd: made, stdio: 'pipe' });
  put('weak.pem', `${text('weak.pem')}${text('weak.key')}`);
  expect(certificates.look(now)).toBe(false);
  expect(problems()).toEqual({ 'weak.pem': 'unreadable' });
});
