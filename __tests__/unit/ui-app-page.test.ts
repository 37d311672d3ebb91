import { describe, expect, it } from 'vitest';
import { ERROR_PARAMS } from '../../src/server/errors';
import type { AppRow, OperationRow } from '../../src/shared/types';
import { isRetryable } from '../../src/ui/apps/actions';
import { REMEDIES, remediesOf, remediesOfWarning } from '../../src/ui/apps/remedies';
import { startTimes } from '../../src/ui/apps/starts';

const app = (dbConnType: 'new_database' | 'new_connection') => ({ options: { dbConnType } }) as AppRow;

describe('remedies of an error', () => {
  it('lead to the connection only if it is the app’s own', () => {
    const error = { code: 'DATABASE_UNREACHABLE' };
    expect(remediesOf(error, app('new_connection'), false)).toEqual(['connection', 'retry']);
    expect(remediesOf(error, app('new_database'), false)).toEqual(['retry']);
  });

  it('lead to no other environment where there is none', () => {
    const error = { code: 'APP_TOO_NEW' };
    expect(remediesOf(error, app('new_database'), false)).toEqual(['move', 'environments']);
    expect(remediesOf(error, app('new_database'), true)).toEqual([]);
  });

  it('are those that its text advises; of an unknown error: try again', () => {
    expect(remediesOf({ code: 'APP_UPGRADE_FORBIDDEN' }, app('new_database'), false)).toEqual(['upgrade', 'edit']);
    expect(remediesOf({ code: 'SOMETHING_NEWER' }, app('new_database'), false)).toEqual(['retry']);
    expect(remediesOfWarning({ code: 'APP_ADMIN_KNOWN' })).toEqual(['resetAdmin']);
    expect(remediesOfWarning({ code: 'APP_SHARES_ROLE' })).toEqual([]);
  });

  it('are of errors that exist', () => {
    const known = [...Object.keys(ERROR_PARAMS), 'FAILED'];
    expect(Object.keys(REMEDIES).filter((code) => !known.includes(code))).toEqual([]);
  });
});

it('what failed or was cancelled can be tried again, and nothing else', () => {
  const states = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
  expect(states.filter((state) => isRetryable({ state } as never))).toEqual(['failed', 'cancelled']);
});

it('start times are those of operations that started the app, in the order in which it ran', () => {
  const step = (startedAt?: number, finishedAt?: number, state = 'succeeded') => ({ state, startedAt, finishedAt });
  const operations = [
    { action: 'restart', steps: [step(70, 73), step(73, 80), step(80, 90, 'failed')] },
    { action: 'stop', steps: [step(50, 60)] },
    { action: 'start', steps: [step(20, 40), step()] },
  ] as OperationRow[];
  expect(startTimes(operations)).toEqual([20, 3, 7]);
});
