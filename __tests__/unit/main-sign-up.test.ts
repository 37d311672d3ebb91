import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { MainSignUp } from '../../src/server/core/main-sign-up';

/** Whether strangers can sign up to the main app, whose authenticators are played. */

function playedMain(rows: object[]) {
  const db = Object.assign(new EventEmitter(), {
    getRepository: () => ({
      find: async ({ filter }: { filter: { enabled: boolean } }) => {
        const enabled = rows.filter((row) => (row as { enabled: boolean }).enabled === filter.enabled);
        return enabled.map((row) => ({ get: (key: string) => row[key as keyof typeof row] }));
      },
    }),
  });
  return { main: { db } as never, db };
}

it.each([
  [[{ enabled: true, options: { public: { allowSignUp: true } } }], true],
  [[{ enabled: true, options: { public: { allowSignUp: false } } }], false],
  [[{ enabled: false, options: { public: { allowSignUp: true } } }], false],
  [
    [
      { enabled: true, options: null },
      { enabled: true, options: {} },
    ],
    false,
  ],
])('%j: %s', async (rows, expected) => {
  const signUp = new MainSignUp();
  await signUp.check(playedMain(rows).main);
  expect(signUp.isOpen).toBe(expected);
});

it('is known anew when it is changed, once that is stored', async () => {
  const options = { public: { allowSignUp: true } };
  const { main, db } = playedMain([{ enabled: true, options }]);
  const signUp = new MainSignUp();
  signUp.watch(main);
  await expect.poll(() => signUp.isOpen).toBe(true);
  let commit = () => {};
  options.public.allowSignUp = false;
  db.emit('authenticators.afterSave', {}, { transaction: { afterCommit: (work: () => void) => (commit = work) } });
  expect(signUp.isOpen).toBe(true);
  commit();
  await expect.poll(() => signUp.isOpen).toBe(false);
});

it('stays as it was where the database cannot be read', async () => {
  const signUp = new MainSignUp();
  await signUp.check(playedMain([{ enabled: true, options: { public: { allowSignUp: true } } }]).main);
  await signUp.check({ db: { getRepository: () => null } } as never);
  expect(signUp.isOpen).toBe(true);
});
