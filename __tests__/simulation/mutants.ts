import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from '../../scripts/lib/root.mjs';
import { MUTANTS, type Mutant } from './mutations';

/** Runs the simulator on the product broken on purpose (`mutations.ts`), and says what finds each mutant. */

const BEGIN = '<!-- mutants -->';

/**
 * Lets each mutant live until a seed finds it, and prints the table, also into docs/simulation.md.
 * @param only of these alone, without a table: a finding, or a part of what is broken
 * @returns the exit code: 1 where one was not found
 */
export async function mutants(seeds: number, only?: string): Promise<number> {
  const rows: string[] = [];
  const chosen = MUTANTS.filter(({ what, finding }) => !only || what.includes(only) || finding === only);
  const waiting = chosen.map((mutant, i) => ({ mutant, i }));
  let missed = 0;
  const work = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { mutant, i } = next;
      const found = mutant.test ? await findByTest(mutant, mutant.test) : await findBySeed(mutant, seeds);
      if (!found) missed++;
      rows[i] = `| ${mutant.finding ?? ''} | ${mutant.what} | ${found ?? `nothing in ${seeds} seeds`} |`;
      console.log(rows[i]);
    }
  };
  await Promise.all(Array.from({ length: PROCESSES }, work));
  if (!only) await writeTable(['| | What is broken | Found by |', '|---|---|---|', ...rows].join('\n'));
  return missed ? 1 : 0;
}

async function writeTable(table: string): Promise<void> {
  const file = path.join(ROOT, 'docs/simulation.md');
  const text = await readFile(file, 'utf8');
  const [before] = text.split(BEGIN);
  await writeFile(file, `${before}${BEGIN}\n\n${table}\n`);
}

/** The first seed that fails with the mutant, and not without it. */
async function findBySeed(mutant: Mutant, seeds: number): Promise<string | null> {
  return inCopy(mutant, async (folder) => {
    for (let from = 1; from <= seeds; ) {
      const output = await execute(folder, simulate('--from', String(from), '--seeds', String(seeds - from + 1)));
      const [, seed, as] = /^seed (\d+): (.*)$/m.exec(output.text) ?? [];
      if (!seed && output.code) throw new Error(`${mutant.what}: the mutant does not run.\n${output.text}`);
      if (!seed) return null;
      const alone = await execute(ROOT, simulate('--from', seed, '--seeds', '1'));
      if (alone.code === 0) return `seed ${seed}: ${as.length > MOST ? `${as.slice(0, MOST)} …` : as}`;
      from = Number(seed) + 1;
    }
    return null;
  });
}

/** How much of a violation the table has. */
const MOST = 110;
const PROCESSES = 2;
/** How long a test, or all seeds of a mutant, may take, in ms. */
const LIMIT = 900_000;

const simulate = (...args: string[]): string[] => ['--import', 'tsx', 'scripts/simulate.ts', ...args, '--first'];

/** A test that passes without the mutant, and fails with it. */
async function findByTest(mutant: Mutant, test: string): Promise<string | null> {
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--project', test.split('/')[0], `__tests__/${test}`];
  if ((await execute(ROOT, args)).code !== 0) return null;
  const { code } = await inCopy(mutant, (folder) => execute(folder, args));
  return code === 0 ? null : `[${test}](../__tests__/${test})`;
}

/** Does something with a copy of the source in which a mutant was made. */
async function inCopy<T>({ changes }: Mutant, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mutant-'));
  try {
    for (const part of ['src', 'scripts', '__tests__', 'package.json', 'tsconfig.json', 'vitest.config.mts'])
      await cp(path.join(ROOT, part), path.join(folder, part), { recursive: true });
    await symlink(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
    for (const [file, text, by] of changes) {
      const target = path.join(folder, 'src/server', file);
      const source = await readFile(target, 'utf8');
      if (source.split(text).length !== 2) throw new Error(`${file} does not have this text once: ${text}`);
      await writeFile(
        target,
        source.replace(text, () => by),
      );
    }
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function execute(cwd: string, args: string[]): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    // A mutant may go on for ever, in a process of vitest's.
    const child = spawn(process.execPath, args, { cwd, detached: true });
    const limit = setTimeout(() => process.kill(-child.pid!, 'SIGKILL'), LIMIT);
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.stderr.on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      clearTimeout(limit);
      resolve({ code, text });
    });
  });
}
