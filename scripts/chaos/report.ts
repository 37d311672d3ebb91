import { agreement, RULES, type Violation } from './check';
import { groupBy } from './group';
import type { History } from './history';

/** The actions and findings of a run, for a terminal. */
export function report(history: History, violations: Violation[]): string {
  const { asked, recorded, harms, processes, samples, requests, settlings } = history;
  const accepted = asked.filter(({ id }) => id !== null);
  const refusals = asked.flatMap(({ refusal }) => refusal ?? []);
  const kills = harms.filter(({ harm }) => harm === 'kill').length;
  const boots = processes.flatMap((life) => life.boots);
  const took = settlings.flatMap((settling) => agreement(settling, history)?.took ?? []);
  const minutes = (history.endedAt - history.begunAt) / 60_000;
  const rows: Array<[string, string]> = [
    ['Seed', String(history.seed)],
    ['Duration', `${minutes.toFixed(1)} min`],
    ['Changes', `${accepted.length} accepted (${counted(accepted, ({ action }) => action)})`],
    ['', `${refusals.length} refused (${counted(refusals, ({ code, answer }) => code ?? answer.slice(0, 60))})`],
    ['Operations', counted(recorded, ({ state }) => state)],
    ['Harms', `${harms.length}, of them ${kills} kills`],
    ['', counted(harms, ({ harm, target }) => `${harm} ${target}`)],
    ['Boots of apps', `${boots.length}, of them ${boots.filter(({ runningAt }) => runningAt === null).length} cut off`],
    ['Processes', `${processes.length}`],
    ['Samples', `${samples.length} of all statuses`],
    [
      'Quiet times',
      `${settlings.length}; the truth was shown ${took.length ? `after ${middle(took)} ms (median), ${Math.max(...took)} ms (longest)` : 'never'}`,
    ],
    ...requests.map(({ through, asked, failed, slowest }): [string, string] => [
      'Untouched app',
      `through ${through}: ${asked} requests, ${failed.length} failed, slowest ${slowest} ms`,
    ]),
  ];
  const rules = Object.entries(RULES).map(([rule, meaning]) => {
    const broken = violations.filter((violation) => violation.rule === rule).length;
    return `  ${broken ? `BROKEN ${broken}×` : 'held'.padEnd(9)} ${meaning}`;
  });
  const details = violations.map(({ rule, what, at }) => `  ${new Date(at).toISOString()} ${rule}: ${what}`);
  return [
    ...rows.map(([name, value]) => `  ${name.padEnd(15)}${value}`),
    '',
    ...rules,
    ...(details.length ? ['', ...details] : []),
    '',
  ].join('\n');
}

function counted<T>(items: T[], keyOf: (item: T) => string): string {
  const groups = [...groupBy(items, keyOf)].sort((a, b) => b[1].length - a[1].length);
  return groups.map(([key, found]) => `${key} ${found.length}`).join(', ');
}

const middle = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
