import { backendOf, socketsOf } from './rules/place';
import { added, type Sample } from './totals';

/** What HAProxy says of itself, read. Pure functions. */

type Row = Record<string, string>;

/** The frontend of all visitors. */
const FRONTEND = 'door';

/** @param text of `show stat`: CSV with a line of names @returns by name of the frontend or backend */
function rowsOf(text: string): Map<string, Row> {
  const [head = '', ...lines] = text.split('\n').filter(Boolean);
  const names = head.replace(/^# /, '').split(',');
  const rows = lines.map((line): Row => Object.fromEntries(line.split(',').map((value, i) => [names[i], value])));
  return new Map(rows.map((row) => [row.pxname, row]));
}

/**
 * Adds what has the same key: threads of HAProxy that meet it first at the same time each make an entry.
 * @param text of `show table`: `0x7f: key=UID use=0 exp=86399 shard=0 http_req_cnt=1 …`
 */
function entriesOf(text: string): Sample['apps'] {
  const entries = new Map<string, number[]>();
  for (const line of text.split('\n')) {
    const [, uid] = / key=(\S+)/.exec(line) ?? [];
    if (!uid) continue;
    const count = (name: string) => Number(new RegExp(` ${name}=(\\d+)`).exec(line)?.[1] ?? 0);
    const counts = ['http_req_cnt', 'http_err_cnt', 'http_fail_cnt', 'bytes_out_cnt'].map(count);
    entries.set(uid, added(entries.get(uid), counts));
  }
  return Object.fromEntries(entries);
}

const ANSWERS = ['hrsp_1xx', 'hrsp_2xx', 'hrsp_3xx', 'hrsp_4xx', 'hrsp_5xx', 'hrsp_other', 'econ'];

/**
 * @param table of `show table`
 * @param statistics of `show stat` for frontends and backends
 * @param environments names of those that may be in it
 */
export function sampleOf(
  table: string,
  statistics: string,
  environments: Iterable<string>,
): Sample & { sockets: number } {
  const rows = rowsOf(statistics);
  /** Over the backend and those of pairs that begin with it: HAProxy counts by backend, not by the server that took a visit. */
  const sum = (backend: string, fields: string[]) => {
    const own = [...rows].filter(([name]) => name === backend || name.startsWith(`${backend}:`));
    return fields.map((field) => own.reduce((total, [, row]) => total + Number(row[field] || 0), 0));
  };
  const there = [...environments].filter((name) => rows.has(backendOf(name)));
  const counts = there.map((name) => {
    const sockets = sum(socketsOf(backendOf(name)), ANSWERS);
    return [name, sum(backendOf(name), ANSWERS).map((count, i) => count + sockets[i])] as const;
  });
  return {
    apps: entriesOf(table),
    environments: Object.fromEntries(counts),
    door: sum(FRONTEND, ['req_tot', 'hrsp_5xx']),
    sockets: there.reduce((total, name) => total + sum(socketsOf(backendOf(name)), ['scur'])[0], 0),
  };
}
