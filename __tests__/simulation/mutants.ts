import { spawn } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from '../../scripts/lib/root.mjs';

/** The product broken on purpose: a simulator that finds nothing may be blind. */

interface Mutant {
  /** What is broken. */
  what: string;
  /** Below `src/server`. */
  file: string;
  /** A text that is there once, and what takes its place. */
  replace: readonly [text: string, by: string];
}

const MUTANTS: Mutant[] = [
  {
    what: 'A standby hosts, too',
    file: 'worker/services.ts',
    replace: ['mayHost: () => keeper.hosts && known.isCurrent', 'mayHost: () => true'],
  },
  {
    what: 'A displaced process goes on with its apps',
    file: 'worker/worker.ts',
    replace: ['await controller.standDown();', ''],
  },
  {
    what: 'An app that failed is not tried again',
    file: 'worker/apps/decide.ts',
    replace: ['return failures >= MAX_FAILURES ? null :', 'return failures >= 1 ? null :'],
  },
  {
    what: 'A Worker takes an older record over',
    file: 'worker/apps/controller.ts',
    replace: ['if (held && held.record.generation > record.generation) continue;', ''],
  },
  {
    what: 'A Worker takes the absence of a record for a wish',
    file: 'worker/apps/controller.ts',
    replace: [
      "held.record.desired === 'removed' && held.status === 'not_found' && !present.has(name)",
      '!present.has(name)',
    ],
  },
  {
    what: 'A Worker that is silent is down after 30 beats',
    file: 'protocol/health.ts',
    replace: [
      "if (age >= DOWN_AFTER * interval) return { health: 'down'",
      "if (age >= 10 * DOWN_AFTER * interval) return { health: 'down'",
    ],
  },
  {
    what: 'Every delete drops the data',
    file: 'supervisor/apps/service.ts',
    replace: ["database === 'drop' ? 'drop' : 'release'", "database === 'drop' ? 'drop' : 'drop'"],
  },
  {
    what: 'Data are dropped before all environments have let go',
    file: 'supervisor/control/rollout.ts',
    replace: [
      "return earlier.every((step) => step.state === 'succeeded' || step.state === 'cancelled');",
      'return true;',
    ],
  },
  {
    what: 'An operation does not take over what it supersedes',
    file: 'supervisor/control/rollout.ts',
    replace: ['return { ...made, steps };', 'return made;'],
  },
  {
    what: 'What Redis lost is not written again',
    file: 'supervisor/control/environment-reconciler.ts',
    replace: ['missing.map(([, { app, wish }]) => recordFor(app, wish)),', '[],'],
  },
  {
    what: 'A stale reader takes what is newer for a restored backup',
    file: 'supervisor/control/environment-reconciler.ts',
    replace: ['if (newer.length && (await this.isOutdated(environment, newer))) return 0;', ''],
  },
  {
    what: 'An environment that an app has left keeps its record',
    file: 'supervisor/control/app-reconciler.ts',
    replace: ['if (!gone.length) return false;', 'return false;'],
  },
  {
    what: 'What is published of a deleted app is not known to its tombstone',
    file: 'supervisor/apps/repository.ts',
    replace: ['return changed > 0;', 'return true;'],
  },
  {
    what: 'The end of a tombstone is not told',
    file: 'supervisor/apps/cache.ts',
    replace: ['this.changed([], new Set(settled), new Set());', ''],
  },
  {
    what: 'Times of steps are never forgotten',
    file: 'supervisor/control/app-reconciler.ts',
    replace: ['this.timer.keep(uid, operations);', ''],
  },
  {
    what: 'An operation waits for an environment that was forgotten',
    file: 'supervisor/control/forgetting.ts',
    replace: ['await operations.save({ ...operation, steps });', ''],
  },
  {
    what: 'A leader writes whatever its term',
    file: 'supervisor/control/leader.ts',
    replace: ['return this.held && (alone === true ||', 'return this.held || (alone === true &&'],
  },
  {
    what: 'An environment that was forgotten boots its old apps',
    file: 'worker/incarnation.ts',
    replace: ['return incarnation > this.header.incarnation;', 'return false;'],
  },
];

/** Lets each mutant live until a seed finds it. @returns the exit code: 1 where one was not found */
export async function mutants(seeds: number): Promise<number> {
  console.log('| What is broken | Found by seed | As |\n|---|---|---|');
  let missed = 0;
  for (const mutant of MUTANTS) {
    const found = await hunt(mutant, seeds);
    if (!found) missed++;
    console.log(`| ${mutant.what} | ${found ? `${found.seed} | ${found.as}` : `none of ${seeds} | –`} |`);
  }
  return missed ? 1 : 0;
}

async function hunt(
  { file, replace: [text, by] }: Mutant,
  seeds: number,
): Promise<{ seed: string; as: string } | null> {
  const folder = await mkdtemp(path.join(tmpdir(), 'mutant-'));
  try {
    for (const part of ['src', 'scripts', '__tests__', 'package.json', 'tsconfig.json'])
      await cp(path.join(ROOT, part), path.join(folder, part), { recursive: true });
    await symlink(path.join(ROOT, 'node_modules'), path.join(folder, 'node_modules'));
    const target = path.join(folder, 'src/server', file);
    const source = await readFile(target, 'utf8');
    if (source.split(text).length !== 2) throw new Error(`${file} does not have this text once: ${text}`);
    await writeFile(
      target,
      source.replace(text, () => by),
    );
    const output = await simulate(folder, seeds);
    const [, seed, as] = /^seed (\d+): (.*)$/m.exec(output) ?? [];
    return seed ? { seed, as } : null;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function simulate(folder: string, seeds: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const args = ['--import', 'tsx', 'scripts/simulate.ts', '--seeds', String(seeds), '--first'];
    const child = spawn(process.execPath, args, { cwd: folder });
    let output = '';
    child.stdout.on('data', (text) => {
      output += text;
    });
    child.on('error', reject);
    child.on('close', () => resolve(output));
  });
}
