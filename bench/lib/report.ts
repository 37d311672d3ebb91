import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { findProgram } from '../../scripts/lib/programs.mjs';
import { ROOT } from '../../scripts/lib/root.mjs';
import { PINNING } from './process';

/** The results of a benchmark, for a terminal and for a file. */
export interface Report {
  /** Names the benchmark and its file. */
  bench: string;
  tables: Table[];
  bars: Bar[];
}

export interface Table {
  title: string;
  /** The first one names the row. */
  columns: string[];
  rows: Array<[string, ...Array<number | null>]>;
}

/** A limit, and the result. */
export interface Bar {
  what: string;
  /** Null: this machine cannot measure it. */
  measured: number | null;
  unit: string;
  atLeast?: number;
  atMost?: number;
}

export const isHeld = ({ measured, atLeast, atMost }: Bar): boolean =>
  measured === null ||
  (measured >= (atLeast ?? Number.NEGATIVE_INFINITY) && measured <= (atMost ?? Number.POSITIVE_INFINITY));

/** Prints the report, writes `.bench/<bench>-<time>.json`, and ends the process with 1 if a limit is exceeded. */
export function finish(report: Report): void {
  const machine = describeMachine();
  for (const table of report.tables) console.log(`\n${draw(table)}`);
  console.log('');
  for (const bar of report.bars) {
    const wanted = bar.atLeast !== undefined ? `at least ${bar.atLeast}` : `at most ${bar.atMost}`;
    const [mark, result] =
      bar.measured === null
        ? ['      ', 'not measured']
        : [isHeld(bar) ? 'held  ' : 'MISSED', `${round(bar.measured)}${bar.unit}`];
    console.log(`${mark} ${bar.what}: ${result} (${wanted}${bar.unit})`);
  }
  const folder = path.join(ROOT, '.bench');
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, `${report.bench}-${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.json`);
  const bars = report.bars.map((bar) => ({ ...bar, held: bar.measured === null ? null : isHeld(bar) }));
  fs.writeFileSync(file, `${JSON.stringify({ ...report, bars, machine }, null, 2)}\n`);
  console.log(
    `\n${Object.entries(machine)
      .map(([key, value]) => `${key} ${value}`)
      .join(', ')}\n${path.relative(ROOT, file)}`,
  );
  if (!report.bars.every(isHeld)) process.exitCode = 1;
}

export const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];

function draw({ title, columns, rows }: Table): string {
  const cells = rows.map(([name, ...values]) => [name, ...values.map((value) => (value === null ? '' : round(value)))]);
  const widths = columns.map((column, index) => Math.max(column.length, ...cells.map((row) => row[index].length)));
  const line = (row: string[]) =>
    row.map((cell, index) => (index ? cell.padStart(widths[index]) : cell.padEnd(widths[index]))).join('  ');
  return [title, line(columns), ...cells.map(line)].join('\n');
}

/** Three significant digits. */
const round = (value: number): string =>
  Math.abs(value) >= 100 ? Math.round(value).toLocaleString('en-US') : String(Number(value.toPrecision(3)));

function describeMachine(): Record<string, string | number> {
  const { version } = JSON.parse(
    fs.readFileSync(path.join(ROOT, 'node_modules/@nocobase/server/package.json'), 'utf8'),
  );
  const nginx = findProgram('nginx');
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    'memory, GiB': Math.round(os.totalmem() / 2 ** 30),
    system: `${os.type()} ${os.release()}`,
    'load at the end': Number(os.loadavg()[0].toFixed(1)),
    pinning: PINNING,
    node: process.version,
    nocobase: version,
    ...(nginx && {
      nginx: execFileSync('sh', ['-c', `${nginx} -v 2>&1`], { encoding: 'utf8' })
        .trim()
        .split('/')[1],
    }),
    commit: execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: ROOT, encoding: 'utf8' }).trim(),
  };
}
