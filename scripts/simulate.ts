import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { gzipSync } from 'node:zlib';
import { mutants } from '../__tests__/simulation/mutants';
import { describePlan, type Plan, planOf } from '../__tests__/simulation/plan';
import { run, shrink } from '../__tests__/simulation/run';
import { packPlan, readPlans } from '../__tests__/simulation/stored-plans';

/**
 * `npm run simulate -- --seeds 500`: lets simulated fleets live, one for each seed, and says which seeds break what is promised. See
 * docs/simulation.md.
 */

const HELP = `--seed N     one seed, with its journal
--seeds N    so many seeds (default 100), from --from (default 1)
--only 3,7   of --seed, only these events of its plan, by their numbers in what a failure prints
--plans FILE plans that were written into a file, instead of those that are drawn now: all, or those from --from on
--write FILE writes the plans of these seeds into a file, compressed, and runs none
--all        also the faults that the product is known not to stand yet
--brief      one line for each seed that fails, and no smaller plan
--first      ends with the first one
--mutants    breaks the product on purpose, and says which of --seeds finds each mutant first
--mutant C7  only one of them, by its finding or a part of its text`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    from: { type: 'string' },
    plans: { type: 'string' },
    write: { type: 'string' },
    only: { type: 'string' },
    all: { type: 'boolean', default: false },
    mutants: { type: 'boolean', default: false },
    mutant: { type: 'string' },
    first: { type: 'boolean', default: false },
    brief: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});

async function main(): Promise<number> {
  if (values.help) {
    console.log(HELP);
    return 0;
  }
  if (values.mutants || values.mutant) return mutants(Number(values.seeds ?? 100), values.mutant);
  if (values.seed !== undefined) return replay(Number(values.seed));
  const plans = values.plans ? storedPlans(values.plans) : drawnPlans();
  if (!values.write) return many(plans);
  writeFileSync(values.write, gzipSync([...plans].map((plan) => `${packPlan(plan)}\n`).join('')));
  return 0;
}

function* drawnPlans(): Generator<Plan> {
  const from = Number(values.from ?? 1);
  for (let seed = from; seed < from + Number(values.seeds ?? 100); seed++) yield planOf(seed, { all: values.all });
}

function storedPlans(file: string): Plan[] {
  const plans = readPlans(file).filter(({ seed }) => seed >= Number(values.from ?? 0));
  return plans.slice(0, values.seeds ? Number(values.seeds) : plans.length);
}

async function replay(seed: number): Promise<number> {
  const stored = values.plans && readPlans(values.plans).find((plan) => plan.seed === seed);
  if (values.plans && !stored) throw new Error(`${values.plans} has no plan of seed ${seed}.`);
  const plan = stored || planOf(seed, { all: values.all });
  const only = values.only?.split(',').map(Number);
  if (only) plan.events = plan.events.filter((_, i) => only.includes(i));
  console.log(describePlan(plan));
  const { violation, journal, events, digest } = await run(plan);
  console.log(journal.join('\n'));
  console.log(`${events} events, digest ${digest}`);
  console.log(violation ? `FAILS: ${violation.what}` : 'Holds.');
  return violation ? 1 : 0;
}

async function many(plans: Iterable<Plan>): Promise<number> {
  const begun = performance.now();
  let failures = 0;
  let count = 0;
  for (const plan of plans) {
    const { violation } = await run(plan);
    count++;
    if (!violation) continue;
    failures++;
    if (values.brief || values.first) console.log(`seed ${plan.seed}: ${violation.what}`);
    else await report(plan, violation.what);
    if (values.first) break;
  }
  const seconds = (performance.now() - begun) / 1000;
  // On a machine that does other things, too, the processor's time says more.
  const { user, system } = process.cpuUsage();
  const busy = (user + system) / 1_000_000;
  console.log(
    `${count} seeds in ${seconds.toFixed(0)} s, ${(count / busy).toFixed(1)} for each second of a core; ${failures} failed.`,
  );
  return failures ? 1 : 0;
}

async function report(plan: Plan, what: string): Promise<void> {
  const least = await shrink(plan);
  const only = plan.events.flatMap((event, i) => (least.events.includes(event) ? [i] : []));
  const { violation } = await run(least);
  console.log(`seed ${plan.seed}: ${what}`);
  console.log(`  shrunk: ${violation?.what}`);
  const from = `${values.all ? ' --all' : ''}${values.plans ? ` --plans ${values.plans}` : ''}`;
  console.log(`  npm run simulate -- --seed ${plan.seed}${from} --only ${only}`);
  console.log(describePlan(least).replaceAll(/^/gm, '  '));
}

main().then(
  (code) => process.exit(code),
  (error) => {
    console.error(error);
    process.exit(2);
  },
);
