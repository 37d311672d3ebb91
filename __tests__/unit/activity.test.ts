import type { Database } from '@nocobase/database';
import { describe, expect, it } from 'vitest';
import { collections } from '../../src/server/core/collections';
import { cancelRequested, changesBetween, requested } from '../../src/server/supervisor/definitions/change-events';
import { EventStore } from '../../src/server/supervisor/definitions/event-store';
import { csvCell, eventsCsv } from '../../src/server/supervisor/events/csv';
import { ChangeJournal } from '../../src/server/supervisor/events/journal';
import type { EventRow } from '../../src/shared/event';
import { failed, say } from '../../src/shared/message';
import { FakeClock } from '../support/clock';
import { appOf, eventOf, operationOf } from '../support/fixtures';
import { recordedLog } from '../support/log';
import { MemoryDatabase } from '../support/memory-database';
import { SeededRandom } from '../support/random';

describe('the settings that somebody changed', () => {
  it('are named with the values before and after', () => {
    const before = appOf({ title: 'CRM', environments: ['env_a'], pinned: false, cname: null });
    const after = { ...before, title: 'Sales', environments: ['env_a', 'env_b'], pinned: true, cname: 'a.example.com' };
    expect(changesBetween(before, after)).toEqual([
      { field: 'title', before: 'CRM', after: 'Sales' },
      { field: 'pinned', before: 'false', after: 'true' },
      { field: 'environments', before: 'env_a', after: 'env_a, env_b' },
      { field: 'cname', before: null, after: 'a.example.com' },
    ]);
  });

  it('are those of its connection, too, but never a secret, whatever it is called', () => {
    const server = { dbConnType: 'new_connection', host: 'one', username: 'u', password: 'sealed-1' } as const;
    const before = appOf({ database: server, sso: { enabled: true, clientSecret: 'hush-1' } });
    const after = {
      ...before,
      database: { ...server, host: 'two', password: 'sealed-2' },
      sso: { enabled: true, clientSecret: 'hush-2', signingKey: 'hush-3' },
      jwtSecret: 'hush-4',
    };
    const changes = changesBetween(before, after);
    expect(changes).toEqual([
      { field: 'database.host', before: 'one', after: 'two' },
      { field: 'database.password', before: null, after: null, isSecret: true },
      { field: 'sso.clientSecret', before: null, after: null, isSecret: true },
      { field: 'sso.signingKey', before: null, after: null, isSecret: true },
    ]);
    expect(JSON.stringify(changes)).not.toMatch(/hush|sealed/);
  });

  it('are short: neither pictures nor long texts', () => {
    const before = appOf({ icon: null });
    const [change] = changesBetween(before, { ...before, icon: `data:image/png;base64,${'A'.repeat(9_000)}` });
    expect(change).toEqual({ field: 'icon', before: null, after: 'data:image/png' });
    const [title] = changesBetween(before, { ...before, title: 'x'.repeat(500) });
    expect(title.after).toHaveLength(201);
  });
});

describe('the event of an operation', () => {
  const byPerson = operationOf(['env_a boot'], { action: 'restart', createdById: '3', createdAt: 7 });

  it('says who requested it, and leads to it', () => {
    expect(requested(byPerson, [])).toMatchObject({
      kind: 'change',
      appName: 'crm',
      environment: 'env_a',
      createdById: '3',
      operationId: 'op-1',
      at: 7,
      endedAt: 7,
      changes: null,
      message: { code: 'OPERATION_REQUESTED' },
    });
  });

  it('of several environments belongs to none of them', () => {
    expect(requested(operationOf(['env_a boot', 'env_b boot'], {}), []).environment).toBeNull();
  });

  it('is one of healing if nobody requested it', () => {
    expect(requested({ ...byPerson, createdById: null }, [])).toMatchObject({
      kind: 'healing',
      message: { code: 'OPERATION_BY_SUPERVISOR' },
    });
  });

  it('is another one for its cancellation, by whom cancelled it', () => {
    const event = cancelRequested(byPerson, '4', 9);
    expect(event.id).not.toBe(requested(byPerson, []).id);
    expect(event).toMatchObject({ kind: 'change', createdById: '4', at: 9, operationId: 'op-1' });
  });
});

describe('the table of events', () => {
  const storeOf = () => new EventStore({ db: new MemoryDatabase(collections).connect() as Database });

  it('keeps a fixed number of rows: the newest, and what lasts', async () => {
    const store = storeOf();
    const ended = Array.from({ length: 9 }, (_, at) => eventOf({ id: `${at}`, at, endedAt: at }));
    await store.append([eventOf({ id: 'lasts', at: 0, endedAt: null }), ...ended]);
    expect(await store.removeBeyond(10, 3)).toBe(0);
    expect(await store.removeBeyond(4, 3)).toBe(3);
    expect(await store.removeBeyond(4, 30)).toBe(3);
    const [left] = await store.page({}, ['at', 'id'], 1, 20);
    expect(left.map(({ id }) => id)).toEqual(['lasts', '6', '7', '8']);
  });

  it('reads settings before and after as they were written', async () => {
    const store = storeOf();
    const changes = [{ field: 'title', before: null, after: 'CRM' }];
    await store.append([eventOf({ changes, operationId: 'op-1' })]);
    const [[event]] = await store.page({ operationId: 'op-1' }, ['id'], 1, 1);
    expect(event.changes).toEqual(changes);
  });
});

describe('the journal of environments', () => {
  it('records who did what, and does not fail with the database', async () => {
    const log = recordedLog();
    const rows: unknown[] = [];
    const make = (append: () => Promise<void>) =>
      new ChangeJournal({ events: { append }, clock: new FakeClock(), random: new SeededRandom(), log });
    await new ChangeJournal({
      events: { append: async (events) => void rows.push(...events) },
      clock: new FakeClock(),
      random: new SeededRandom(),
      log,
    }).ofEnvironment('env_a', 'cordon', '3');
    expect(rows).toMatchObject([
      { kind: 'change', environment: 'env_a', createdById: '3', message: say('CORDON_SET', { environment: 'env_a' }) },
    ]);
    await make(() => Promise.reject(new Error('ECONNREFUSED'))).ofEnvironment('env_a', 'forget', '3');
    expect(log.at('warn').join()).toMatch(/could not be recorded: ECONNREFUSED/);
  });
});

describe('events as CSV', () => {
  it.each([
    ['=1+1', `"'=1+1"`],
    ['+1', `"'+1"`],
    ['-2+3', `"'-2+3"`],
    ['@SUM(A1)', `"'@SUM(A1)"`],
    ['  =HYPERLINK("x")', `"'  =HYPERLINK(""x"")"`],
    ['\t=1', `"'\t=1"`],
    ['a "b", c', '"a ""b"", c"'],
    ['two\nlines', '"two\nlines"'],
    ['plain', 'plain'],
    [null, ''],
  ])('%j is no formula, and one cell', (value, cell) => expect(csvCell(value)).toBe(cell));

  it('has a line for each event, with texts', () => {
    const row: EventRow = {
      ...eventOf({ at: 0, endedAt: null, appName: 'crm', cause: failed('=cmd|x') }),
      createdBy: '3',
      appTitle: 'CRM',
      operation: null,
      changes: [
        { field: 'title', before: '=a', after: 'b' },
        { field: 'database.password', before: null, after: null, isSecret: true },
      ],
    };
    const [head, line] = eventsCsv([row]).split('\r\n');
    expect(head).toMatch(/^\uFEFFat,endedAt,kind,app,/);
    expect(line).toMatch(/^1970-01-01T00:00:00\.000Z,,/);
    expect(line).toContain('"\'=cmd|x"');
    expect(line).toContain('database.password: ***');
  });
});
