import { expect, it } from 'vitest';
import { verdict } from '../support/verdict';

/** Whether a run of tests on a fleet is failed by what no test of it looked at. */

const processes = [{ part: 'env_a', pid: 7, begunAt: 0, boots: [], crashes: [], exit: null }];
const good = { lost: [], locks: [], processes };

it('finds nothing if nothing is wrong', () => {
  expect(verdict(good)).toEqual([]);
});

it.each([
  ['a process gone that nobody ended', { lost: ['env_b'] }, 'env_b ended by itself.'],
  ['a lock left behind', { locks: ['"nocobase lock: crm by env_a" in crm'] }, 'A lock was left behind'],
  [
    'a rejection that nobody handled',
    { processes: [{ ...processes[0], crashes: [{ at: 1, message: 'unhandledRejection: no' }] }] },
    'env_a (process 7) did not catch unhandledRejection: no',
  ],
])('finds %s', (_, planted, said) => {
  expect(verdict({ ...good, ...planted })).toEqual([expect.stringContaining(said)]);
});
