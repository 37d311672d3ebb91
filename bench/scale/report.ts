import { nameOf, type Size } from './data';
import { round } from './measure';
import type { Found } from './scenario';

/** The project's limits, and the sizes to which they apply. */
const BARS: Array<{ what: string; most: number; of(found: Found): number | null; at(size: Size): boolean }> = [
  ...(['first page', 'last page', 'filtered by status', 'filtered by text', 'environments'] as const).map((name) => ({
    what: `list, ${name} (ms, 95 of 100)`,
    most: 100,
    of: ({ list }: Found) => list[name].p95,
    at: ({ environments, apps }: Size) => environments <= 50 && apps <= 1_000,
  })),
  {
    what: 'Redis commands a second at rest',
    most: 60,
    of: ({ rest }) => rest.commands,
    at: ({ environments, spread }) => environments <= 50 && spread === 1,
  },
  { what: 'whole again after a flush (ms)', most: 30_000, of: ({ flush }) => flush, at: () => true },
  {
    what: 'accepted until the Worker begins (ms, half of them)',
    most: 5,
    of: ({ change }) => change?.begins.p50 ?? null,
    at: ({ environments }) => environments <= 50,
  },
  { what: 'longest time without a renewal of the lead (s)', most: 5, of: ({ lead }) => lead.longest, at: () => true },
  { what: 'times that the lead was lost', most: 0, of: ({ lead }) => lead.losses, at: () => true },
  {
    what: 'transactions with visits, of those without',
    most: 1.5,
    of: ({ rest, visited }) => ratio(visited?.transactions, rest.transactions),
    at: () => true,
  },
  {
    what: 'Redis commands of the Supervisor with visits, of those without',
    most: 1.5,
    of: ({ rest, visited }) => ratio(visited?.own, rest.own),
    at: () => true,
  },
  { what: 'SQL statements for a page', most: 2, of: ({ statements }) => statements, at: () => true },
];

const ratio = (one: number | null | undefined, other: number | null): number | null =>
  one && other ? Math.round((one / other) * 100) / 100 : null;

export function missed(found: Found[]): string[] {
  return found.flatMap((one) =>
    BARS.flatMap(({ what, most, of, at }) => {
      const value = of(one);
      return at(one.size) && value !== null && value > most
        ? [`${nameOf(one.size)}: ${what}: ${value}, at most ${most}`]
        : [];
    }),
  );
}

const ROWS: Array<[string, (found: Found) => string | number]> = [
  ['list, first page, ms (half, 95 of 100, worst)', ({ list }) => three(list['first page'])],
  ['list, last page', ({ list }) => three(list['last page'])],
  ['list, filtered by status', ({ list }) => three(list['filtered by status'])],
  ['list, filtered by text', ({ list }) => three(list['filtered by text'])],
  ['list of environments', ({ list }) => three(list.environments)],
  ['SQL statements for a page', ({ statements }) => statements],
  ['at rest: Redis commands a second (busiest second)', ({ rest }) => `${rest.commands} (${rest.peak})`],
  ['at rest: Supervisor, % of a core', ({ rest }) => rest.cpu],
  ['at rest: transactions of the Supervisor a second', ({ rest }) => rest.transactions],
  ['at rest: Redis commands of the Supervisor a second', ({ rest }) => rest.own ?? ''],
  ['visits a second', ({ visited }) => visited?.perSecond ?? ''],
  [
    'with visits: Redis commands a second (busiest second)',
    ({ visited }) => (visited ? `${visited.commands} (${visited.peak})` : ''),
  ],
  ['with visits: Supervisor, % of a core', ({ visited }) => visited?.cpu ?? ''],
  ['with visits: transactions of the Supervisor a second', ({ visited }) => visited?.transactions ?? ''],
  ['with visits: Redis commands of the Supervisor a second', ({ visited }) => visited?.own ?? ''],
  ['lead: longest time without a renewal, s; times lost', ({ lead }) => `${lead.longest}; ${lead.losses}`],
  ['Supervisor, resident MB', ({ memory }) => memory],
  ['restart: answers, s', ({ restart }) => round(restart.answers / 1_000)],
  ['restart: whole truth, s', ({ restart }) => round(restart.truth / 1_000)],
  ['flush: whole again, s', ({ flush }) => round(flush / 1_000)],
  ['change: Worker begins after the answer, ms', ({ change }) => (change ? three(change.begins) : '')],
  ['change: seen everywhere, ms', ({ change }) => (change ? three(change.seen) : '')],
  ['changes a second', ({ change }) => change?.perSecond ?? ''],
  ['boot storm: Redis commands a second (busiest)', ({ storm }) => (storm ? `${storm.commands} (${storm.peak})` : '')],
  ['boot storm: Supervisor, % of a core', ({ storm }) => storm?.cpu ?? ''],
  ['boot storm: list, first page, ms', ({ storm }) => (storm ? three(storm.list) : '')],
  ['boot storm: until all run, s', ({ storm }) => storm?.seconds ?? ''],
];

const three = ({ p50, p95, worst }: { p50: number; p95: number; worst: number }) => `${p50}, ${p95}, ${worst}`;

/** Markdown, a column for each measurement. */
export function tableOf(found: Found[]): string {
  const line = (cells: Array<string | number>) => `| ${cells.join(' | ')} |`;
  return [
    line(['', ...found.map(({ size }) => nameOf(size))]),
    line(['---', ...found.map(() => '---:')]),
    ...ROWS.map(([what, of]) => line([what, ...found.map(of)])),
  ].join('\n');
}
