import { expect, it } from 'vitest';
import { paceHashes } from '../../src/server/nocobase/password-hashes';

it('hashes as many passwords at once as it may, those that are stored first, and each once', async () => {
  let open = 0;
  let most = 0;
  const done: string[] = [];
  const slow = async (what: string) => {
    most = Math.max(most, ++open);
    await new Promise((resolve) => setImmediate(resolve));
    open--;
    done.push(what);
    return what;
  };
  class Field {
    constructor(readonly name: string) {}
    hash(password: string) {
      return slow(`${this.name} stores ${password}`);
    }
    verify(password: string) {
      return slow(`${this.name} reads ${password}`);
    }
  }
  paceHashes(Field.prototype, 2);
  paceHashes(Field.prototype, 2);
  const field = new Field('x');
  const all = [1, 2, 3, 4].map((each) => field.verify(`${each}`));
  expect(await field.hash('5')).toBe('x stores 5');
  expect(await Promise.all(all)).toEqual(['x reads 1', 'x reads 2', 'x reads 3', 'x reads 4']);
  expect(most).toBe(2);
  expect(done.slice(0, 3)).toContain('x stores 5');
});
