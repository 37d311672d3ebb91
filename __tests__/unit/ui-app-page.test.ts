import { describe, expect, it } from 'vitest';
import { ERROR_PARAMS } from '../../src/server/errors';
import { APP_REMEDIES } from '../../src/shared/remedies';
import type { AppRow, OperationRow } from '../../src/shared/types';
import { isRetryable } from '../../src/ui/apps/actions';
import { remediesOf, remediesOfWarning } from '../../src/ui/apps/remedies';
import { startTimes } from '../../src/ui/apps/starts';
import { filtered, linesOf, logPlaces } from '../../src/ui/common/log';
import { bytesText } from '../../src/ui/common/time';
import { operationOf } from '../support/fixtures';

const app = (dbConnType: 'new_database' | 'new_connection') => ({ version: null, options: { dbConnType } }) as AppRow;

it('the log of an app is where it is, and where an entry of Activity says that it was', () => {
  const environments = ['env_c', 'env_a'];
  expect(logPlaces({ environments }, null)).toEqual(['env_a', 'env_c']);
  expect(logPlaces({ environments }, 'env_c')).toEqual(['env_a', 'env_c']);
  expect(logPlaces({ environments }, 'env_b')).toEqual(['env_a', 'env_b', 'env_c']);
});

describe('remedies of an error', () => {
  it('lead to the connection only if it is the app’s own', () => {
    const error = { code: 'DATABASE_UNREACHABLE' };
    expect(remediesOf(error, app('new_connection'), false)).toEqual(['connection', 'retry']);
    expect(remediesOf(error, app('new_database'), false)).toEqual(['retry']);
  });

  it('offer to adopt only for an app that never ran', () => {
    const error = { code: 'DATABASE_FOREIGN' };
    expect(remediesOf(error, app('new_database'), false)).toEqual(['adopt', 'retry']);
    expect(remediesOf(error, { ...app('new_database'), version: '2.2.15' }, false)).toEqual(['retry']);
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

  it('begin nothing in the place of an operation that goes on', () => {
    const busy = {
      ...app('new_connection'),
      operation: operationOf(['env_a boot'], { state: 'running' }),
    } as unknown as AppRow;
    expect(remediesOf({ code: 'DATABASE_UNREACHABLE' }, busy, false)).toEqual(['connection']);
    expect(remediesOf({ code: 'APP_CRASH_LOOP' }, busy, false)).toEqual(['log']);
    expect(remediesOf({ code: 'APP_UPGRADE_FORBIDDEN' }, busy, false)).toEqual(['edit']);
  });

  it('are of errors that exist', () => {
    const known = [...Object.keys(ERROR_PARAMS), 'FAILED', 'NO_CAUSE'];
    expect(Object.keys(APP_REMEDIES).filter((code) => !known.includes(code))).toEqual([]);
  });
});

it('what failed or was cancelled can be tried again, and nothing else', () => {
  const states = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
  expect(states.filter((state) => isRetryable({ state } as never))).toEqual(['failed', 'cancelled']);
});

it('start times are those of operations that started the app, in the order in which it ran', () => {
  const item = (startedAt?: number, finishedAt?: number, state = 'succeeded') => ({ state, startedAt, finishedAt });
  const operations = [
    { action: 'restart', progress: [item(70, 73), item(73, 80), item(80, 90, 'failed')] },
    { action: 'stop', progress: [item(50, 60)] },
    { action: 'start', progress: [item(20, 40), item()] },
  ] as OperationRow[];
  expect(startTimes(operations)).toEqual([20, 3, 7]);
});

describe('a log', () => {
  const TIME = '2026-11-26 19:19:14';

  it.each([
    [
      'logfmt',
      `level=warn message=slow query extra={"method":"auth"} stack= meta={} module=database app=crm timestamp=${TIME}`,
      'extra={"method":"auth"} module=database app=crm',
    ],
    [
      'json',
      JSON.stringify({
        level: 'warn',
        message: 'slow query',
        meta: {},
        stack: '',
        module: 'database',
        timestamp: TIME,
      }),
      'module=database',
    ],
    ['console', `\u001b[33m${TIME} [warn]  slow query${' '.repeat(34)}\u001b[39m module=database`, 'module=database'],
  ])('is understood as %s', (_, line, details) => {
    expect(linesOf([line])).toEqual([{ time: TIME, level: 'warn', message: 'slow query', details }]);
  });

  it('keeps what it does not understand, as a part of what came before', () => {
    const lines = linesOf([`level=error message=failed timestamp=${TIME}`, '    at boot (app.js:1)', '', '{"x"']);
    expect(lines.map(({ level, time, message }) => [level, time, message])).toEqual([
      ['error', TIME, 'failed'],
      ['error', null, '    at boot (app.js:1)'],
      ['error', null, '{"x"'],
    ]);
  });

  it('is filtered by least level and by text, with the fields in it', () => {
    const lines = linesOf(
      ['debug one module=acl', 'info two module=db', 'warn three module=db', 'error four module=acl'].map((text) => {
        const [level, message, details] = text.split(' ');
        return `level=${level} message=${message} ${details} timestamp=${TIME}`;
      }),
    );
    const shown = (...filter: [Parameters<typeof filtered>[1], string]) =>
      filtered(lines, ...filter).map(({ message }) => message);
    expect(shown(undefined, '')).toEqual(['one', 'two', 'three', 'four']);
    expect(shown('warn', '')).toEqual(['three', 'four']);
    expect(shown(undefined, ' MODULE=DB ')).toEqual(['two', 'three']);
    expect(shown('error', 'db')).toEqual([]);
    expect(filtered(linesOf(['of no known form']), 'info', '')).toEqual([]);
  });
});

it('a size is written in the unit in which it is read best', () => {
  expect([0, 900, 8_600_000, 123_456_789, 5e12].map(bytesText)).toEqual(['0 B', '900 B', '8.2 MB', '118 MB', '4.5 TB']);
});
