import fs from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { closeKeyFiles } from '../../src/server/core/app-key-files';

const storage = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-keys-'));
afterAll(() => fs.rmSync(storage, { recursive: true, force: true }));

function write(file: string): string {
  const full = path.join(storage, file);
  fs.mkdirSync(path.dirname(full), { recursive: true });
  fs.writeFileSync(full, 'x', { mode: 0o644 });
  return full;
}
const modeOf = (file: string) => (fs.statSync(file).mode & 0o777).toString(8);

it('the keys of an app are read by one user alone; other files and other apps stay as they are', () => {
  const keys = ['apps/crm/aes_key.dat', 'environment-variables/crm/aes_key.dat'].map(write);
  const others = ['apps/crm/notes.txt', 'apps/shop/aes_key.dat'].map(write);
  closeKeyFiles(storage, 'crm');
  expect(keys.map(modeOf)).toEqual(['600', '600']);
  expect(others.map(modeOf)).toEqual(['644', '644']);
});

it('an app without keys is no error', () => {
  expect(() => closeKeyFiles(storage, 'none')).not.toThrow();
});
