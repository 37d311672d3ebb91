import type { Row } from '../../src/server/databases/session';
import { failure, type MemoryServer, type ServerSession } from './memory-server';

/** The statements that the plugin sends to the databases of apps, as PostgreSQL reads them. Another one is an error of the test. */

type Statement = (server: MemoryServer, session: ServerSession, params: readonly unknown[]) => Promise<Row[]>;

const read = new Map<string, Statement>();

/** What a statement does. */
export function statementOf(sql: string): Statement {
  const known = read.get(sql);
  if (known) return known;
  for (const [form, make] of FORMS) {
    const found = form.exec(sql);
    if (!found) continue;
    const statement = make(...found.slice(1));
    read.set(sql, statement);
    return statement;
  }
  throw new Error(`There is no such statement in memory: ${sql}`);
}

/** Without schema and quotes. */
const nameOf = (table: string): string => table.replace(/^.*\./, '').replace(/"/g, '');
const listOf = (text: string): string[] => text.split(',').map((part) => part.trim());

/** Takes values in the order in which they stand in a statement. */
function taker(params: readonly unknown[]): (text: string) => unknown {
  let index = 0;
  return (text) => (text === '?' ? params[index++] : Number(text));
}

function contentOf({ database }: ServerSession, table?: string) {
  if (!database) throw failure('42P01', 'not connected to a database');
  const { content } = database;
  if (table !== undefined && !content.tables.has(table)) throw failure('42P01', `relation "${table}" does not exist`);
  return content;
}

/** In the transaction of the session, or in one of its own. */
async function inOne<T>(
  session: ServerSession,
  work: (transaction: NonNullable<ServerSession['transaction']>) => Promise<T>,
): Promise<T> {
  const content = contentOf(session);
  return content.run(session.id, session.transaction ?? undefined, work);
}

const FORMS: Array<[RegExp, (...parts: string[]) => Statement]> = [
  [
    /^BEGIN\b/,
    () => async (_server, session) => {
      session.transaction = contentOf(session).begin(session.id);
      return [];
    },
  ],
  [
    /^COMMIT$/,
    () => async (_server, session) => {
      if (session.transaction) contentOf(session).commit(session.transaction);
      session.transaction = null;
      return [];
    },
  ],
  [
    /^ROLLBACK$/,
    () => async (_server, session) => {
      if (session.transaction) contentOf(session).rollBack(session.transaction);
      session.transaction = null;
      return [];
    },
  ],
  [
    /^SET idle_in_transaction_session_timeout = '(\d+)s'$/,
    (seconds) => async (_server, session) => {
      session.idleLimit = Number(seconds) * 1_000;
      return [];
    },
  ],
  [
    /^MARK$/,
    () =>
      async (server, session, [group, holder]) => [
        { marked: server.take(session, String(group), String(holder), true) },
      ],
  ],
  [
    /^SELECT (.+) FROM (\S+?)(?: WHERE (\w+) = (\?|\d+))?(?: ORDER BY (\w+))?(?: LIMIT (\d+))?( FOR UPDATE)?$/,
    (_columns, table, column, value, _order, _limit, locking) => async (_server, session, params) => {
      const name = nameOf(table);
      const content = contentOf(session, name);
      const where = column ? { [column]: taker(params)(value) } : {};
      const rows = await inOne(session, async (transaction) =>
        locking ? content.lock(transaction, name, { where }, 'UPDATE') : content.matching(name, { where }, transaction),
      );
      const { key } = content.tables.get(name)!;
      return rows.sort((a, b) => (String(a[key]) < String(b[key]) ? -1 : 1));
    },
  ],
  [
    /^INSERT INTO (\S+) \(([^)]+)\) VALUES \(([^)]+)\) ON CONFLICT DO NOTHING$/,
    (table, columns, values) => async (_server, session, params) => {
      const name = nameOf(table);
      const content = contentOf(session, name);
      const { key, defaults } = content.tables.get(name)!;
      const take = taker(params);
      const texts = listOf(values);
      const row = { ...defaults, ...Object.fromEntries(listOf(columns).map((column, i) => [column, take(texts[i])])) };
      await inOne(session, async (transaction) => {
        await content.acquire(transaction, `${name} ${row[key]}`, 'UPDATE');
        if (content.matching(name, { where: { [key]: row[key] } }, transaction).length) return;
        content.write(transaction, name, row[key], row);
      });
      return [];
    },
  ],
  [
    /^UPDATE (\S+) SET (.+?)(?: WHERE (\w+) = (\?|\d+))?$/,
    (table, set, column, value) => async (_server, session, params) => {
      const name = nameOf(table);
      const content = contentOf(session, name);
      const { key } = content.tables.get(name)!;
      const take = taker(params);
      const values = Object.fromEntries(
        listOf(set).map((part) => {
          const [left, right] = part.split(' = ');
          return [left, take(right)];
        }),
      );
      const where = column ? { [column]: take(value) } : {};
      await inOne(session, async (transaction) => {
        for (const row of await content.lock(transaction, name, { where }, 'UPDATE'))
          content.write(transaction, name, row[key], { ...row, ...values });
      });
      return [];
    },
  ],
  [
    /^DELETE FROM (\S+) WHERE (\w+) = \?$/,
    (table, column) =>
      async (_server, session, [value]) => {
        const name = nameOf(table);
        const content = contentOf(session, name);
        const { key } = content.tables.get(name)!;
        await inOne(session, async (transaction) => {
          for (const row of await content.lock(transaction, name, { where: { [column]: value } }, 'UPDATE'))
            content.write(transaction, name, row[key], null);
        });
        return [];
      },
  ],
  [
    /^CREATE TABLE IF NOT EXISTS (\S+) \((\w+) ([\s\S]+)\)$/,
    (table, key, rest) => async (_server, session) => {
      const { tables } = contentOf(session);
      const name = nameOf(table);
      const defaults = Object.fromEntries(
        [...rest.matchAll(/(\w+) INTEGER NOT NULL DEFAULT (\d+)/g)].map(([, column, value]) => [column, Number(value)]),
      );
      if (!tables.has(name))
        tables.set(name, { key, unique: [key], hidden: [], defaults, timestamps: false, rows: new Map() });
      return [];
    },
  ],
  [
    /^DROP TABLE (IF EXISTS )?([^\s;]+?)(?: CASCADE)?;?$/,
    (isOptional, table) => async (_server, session) => {
      contentOf(session, isOptional ? undefined : nameOf(table)).tables.delete(nameOf(table));
      return [];
    },
  ],
];
