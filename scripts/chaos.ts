import fs from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { check } from './chaos/check';
import type { History } from './chaos/history';
import { makePlan, type PlanSize, shortSize } from './chaos/plan';
import { report } from './chaos/report';
import { run } from './chaos/run';
import { Fleet } from './fleet';
import { recorderEnv, recordingsOf } from './fleet/process-recorder';
import { terminalProgress } from './fleet/progress';

const USAGE = `npm run chaos [-- options]

  --seed N       what decides all that happens (default: from the clock; it is printed)
  --minutes N    how long to go on; the round that is under way then is the last one (default 5)
  --apps N       how many apps (default 10)
  --workers N    how many Workers are harmed (default 3); one more is left alone
  --short        the run that is part of npm test instead, on a fleet of its own
  --plan         prints what would happen, and does nothing
  --check FILE   judges the history of an earlier run again
`;

const NAME = 'chaos-run';
/** Duration of one round without the quiet time after it, in ms. */
const ROUND = 180_000;
const UNTOUCHED = 'untouched';

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    minutes: { type: 'string', default: '5' },
    apps: { type: 'string', default: '10' },
    workers: { type: 'string', default: '3' },
    short: { type: 'boolean' },
    plan: { type: 'boolean' },
    check: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

if (values.help) console.log(USAGE);
else if (values.check) judge(JSON.parse(fs.readFileSync(values.check, 'utf8')));
else if (values.plan) console.log(JSON.stringify(makePlan(size()), null, 1));
else await go(size());

function size(): PlanSize {
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : wholeNumber('seed');
  if (values.short) return shortSize(seed);
  const workers = wholeNumber('workers');
  const harmed = Array.from({ length: workers }, (_, index) => `env_${String.fromCharCode(97 + index)}`);
  return {
    seed,
    // No more can begin in that time.
    rounds: Math.ceil(minutes() / ROUND),
    lasting: ROUND,
    apps: wholeNumber('apps'),
    harmed,
    hosting: harmed,
    changePause: [2_000, 10_000],
    harmPause: [5_000, 20_000],
    supervisorPause: [45_000, 120_000],
    longest: 20_000,
  };
}

function wholeNumber(name: 'seed' | 'minutes' | 'apps' | 'workers'): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1 on.`);
  return value;
}

function minutes(): number {
  return wholeNumber('minutes') * 60_000;
}

async function go(size: PlanSize): Promise<void> {
  console.log(
    `Seed ${size.seed}: ${values.short ? 'the short run' : `${values.minutes} minutes`}, ${size.apps} apps, ${size.harmed.length} Workers and one that is left alone.`,
  );
  const progress = terminalProgress();
  const abort = new AbortController();
  const options = { workers: size.harmed.length + 1, port: 'free', reset: true, durable: false } as const;
  const starting = Fleet.start({ ...options, name: NAME, env: recorderEnv(NAME) }, progress, abort.signal);
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.once(signal, async () => {
      abort.abort();
      await (await starting.catch(() => null))?.stop();
      process.exit(1);
    });
  }
  const fleet = await starting.finally(() => progress.end());
  try {
    const environment = fleet.config.instances.at(-1)!.name;
    const file = path.join(fleet.home, 'history.json');
    const history = await run({
      fleet,
      recordings: recordingsOf(NAME),
      seed: size.seed,
      plan: makePlan(size),
      lasting: values.short ? undefined : minutes(),
      untouched: { app: UNTOUCHED, environment },
      print: (line) => console.log(`${new Date().toISOString().slice(11, 19)} ${line}`),
      keep: (soFar) => fs.writeFileSync(file, JSON.stringify(soFar)),
    });
    judge(history);
    console.log(`History: ${file}`);
  } finally {
    await fleet.stop();
  }
}

function judge(history: History): void {
  const violations = check(history);
  console.log(`\n${report(history, violations)}`);
  if (violations.length) process.exitCode = 1;
}
