import { describe, expect, it } from 'vitest';
import english from '../../src/locale/en-US.json';
import chinese from '../../src/locale/zh-CN.json';
import { inEnglish } from '../../src/server/errors';
import { failed, type Message, render, say, verbatim } from '../../src/shared/message';
import { message, problem } from '../../src/shared/message-schema';

/** As the host translates: an unknown key comes back as it is. */
const translator =
  (texts: Record<string, string>) =>
  (key: string, params: Record<string, string | number> = {}) =>
    (texts[key] ?? key).replace(/\{\{(\w+)\}\}/g, (whole, name) => String(params[name] ?? whole));

const SCHEMA = say('SCHEMA', { schema: 'tenant', database: 'nocobase' });
/** The deepest that there is. */
const DENIED: Message = {
  code: 'DATABASE_CREATE_DENIED',
  params: { user: 'u', object: say('TABLES_IN', { object: SCHEMA }), server: 'db:5432', sql: 'GRANT …' },
};

describe('a message of another process', () => {
  it.each<[string, unknown, Message]>([
    ['a code alone', { code: 'CANCELLED' }, say('CANCELLED')],
    ['a code and its params', { code: 'IN_BOOT_QUEUE', params: { place: 3 } }, say('IN_BOOT_QUEUE', { place: 3 })],
    ['messages within a message within it', structuredClone(DENIED), DENIED],
    ['a code of a newer release', { code: 'NEWER' }, { code: 'NEWER' }],
  ])('is read: %s', (_, value, expected) => {
    expect(message.parse(value)).toEqual(expected);
    expect(problem.parse(value)).toEqual(expected);
  });

  it('may be a sentence of a release before 0.2.0', () => {
    expect(message.parse('Its turn has not come.')).toEqual(verbatim('Its turn has not come.'));
  });

  it('may be the code and sentence of an error of a release before 0.2.0', () => {
    const error = { code: 'DATABASE_UNREACHABLE', message: 'db:5432 did not answer.' };
    expect(problem.parse(error)).toEqual(failed('db:5432 did not answer.'));
  });

  it.each<[string, unknown]>([
    ['nested more deeply', say('DATA_KEEPS_MARKER', { cause: DENIED })],
    ['without an end', endless()],
    ['without a code', { params: {} }],
    ['with a param that is none', { code: 'X', params: { list: ['a'] } }],
    ['nothing', null],
  ])('is rejected: %s', (_, value) => {
    expect(message.safeParse(value).success).toBe(false);
    expect(problem.safeParse(value).success).toBe(false);
  });

  it('is rejected as an error if it is only a text', () => {
    expect(problem.safeParse('A text.').success).toBe(false);
  });
});

/** A message within itself. */
function endless(): Message {
  const params: Record<string, Message> = {};
  const said = { code: 'FAILED', params };
  params.cause = said;
  return said;
}

describe('a text', () => {
  const inChinese = (said: Message) => render(translator(chinese), said);
  const kept = say('DATA_KEPT', { why: say('KEPT_UNMARKED', { object: SCHEMA }) });

  it('is in the reader’s language, and so are the messages in it', () => {
    expect(render(translator(english), kept)).toBe(
      'Its database was kept: schema "tenant" of database "nocobase" has no ownership marker of this app.',
    );
    expect(inChinese(kept)).toBe('它的数据库已保留：数据库“nocobase”的模式“tenant”没有该应用的归属标记。');
  });

  it('is the same in English without a host that translates', () => {
    expect(inEnglish(kept)).toBe(render(translator(english), kept));
  });

  it.each([inEnglish, inChinese])('shows code and params if the code is unknown', (rendered) => {
    expect(rendered({ code: 'NEWER', params: { app: 'crm', times: 3 } })).toBe('NEWER crm 3');
    expect(rendered({ code: 'NEWER' })).toBe('NEWER');
  });

  it.each([inEnglish, inChinese])('of another program is unchanged', (rendered) => {
    expect(rendered(verbatim('Loading {{name}}.'))).toBe('Loading {{name}}.');
    expect(rendered(failed('read ECONNRESET'))).toBe('read ECONNRESET');
  });
});
