import { parseArgs } from 'node:util';
import { ATTACKS, type Attack, NOT_TRIED, needsDoor } from '../__tests__/attack/attacks';
import { allowed, FLOODS, lineOfDenial, tryDenial } from '../__tests__/attack/denial';
import { attempt, attemptInputs, type Outcome } from '../__tests__/attack/run';
import { Stage } from '../__tests__/attack/stage';
import { Fleet } from './fleet';
import { terminalProgress } from './fleet/progress';
import { ensurePrograms } from './lib/programs.mjs';

/** `npm run attack`: starts a fleet with a door, and tries everything that got through once or never may, and inputs that a seed makes. */

const USAGE = `npm run attack [-- options]

  --seed N      what decides the inputs that are made (default: from the clock; it is printed)
  --inputs N    how many of them (default 240)
  --only 3,7    only these of them, by their numbers, and no other attack
  --finding S5  no inputs, and only attacks of these findings (S5,G1)
  --denial      only what holds up visitors of other apps: how long they wait with and without it (7 minutes; with --finding,
                floods of these names)
  --no-door     on a fleet whose Supervisor visitors reach directly
  --fleet NAME  on a running fleet of this name, whose apps are left alone

Ends with 1 if anything gets through.`;

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    inputs: { type: 'string', default: '240' },
    only: { type: 'string' },
    finding: { type: 'string' },
    denial: { type: 'boolean' },
    'no-door': { type: 'boolean', default: false },
    fleet: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
});

if (values.help) console.log(USAGE);
else process.exitCode = await main();

async function main(): Promise<number> {
  const seed = values.seed === undefined ? Date.now() % 1_000_000 : Number(values.seed);
  const only = values.only?.split(',').map(Number);
  const findings = values.finding?.split(',');
  const door = !values['no-door'];
  if (!values.fleet && door) ensurePrograms(['haproxy'], console.log);
  const options = { name: 'attacked', port: 'free' as const, door, reset: true, durable: false };
  const fleet = values.fleet ? Fleet.attach(values.fleet) : await Fleet.start(options, terminalProgress());
  const outcomes: Outcome[] = [];
  const note = (outcome: Outcome) => {
    outcomes.push(outcome);
    console.log(lineOf(outcome));
  };
  try {
    await fleet.waitForWorkers();
    const stage = await Stage.begin(fleet);
    try {
      if (values.denial) return await denials(fleet, findings ?? Object.keys(FLOODS));
      const isChosen = (attack: Attack) =>
        !only && (findings?.includes(attack.finding) ?? true) && (fleet.door !== null || !needsDoor(attack));
      for (const attack of ATTACKS.filter(isChosen)) note(await attempt(stage, attack));
      if (!findings) for (const outcome of await attemptInputs(stage, seed, Number(values.inputs), only)) note(outcome);
    } finally {
      await stage.end();
    }
  } finally {
    if (!values.fleet) await fleet.stop();
  }
  const through = outcomes.filter((outcome) => outcome.through.length);
  console.log(`\n${outcomes.length} rows with seed ${seed}: ${through.length} got through.`);
  const left = only || findings ? ['all other rows: this run was asked for some of them'] : [];
  if (!fleet.door) left.push('rows of a door: this fleet has none');
  console.log(['\nNot tried:', ...left, ...NOT_TRIED].join('\n  '));
  return through.length ? 1 : 0;
}

/** @returns 1 if another app's visitors wait too long */
async function denials(fleet: Fleet, kinds: string[]): Promise<number> {
  let through = 0;
  for (const kind of kinds) {
    const denial = await tryDenial(fleet, kind);
    if (denial.with > allowed(denial)) through++;
    console.log(lineOfDenial(denial));
  }
  console.log(`\n${kinds.length} rows: ${through} got through.`);
  return through ? 1 : 0;
}

function lineOf({ finding, title, through }: Outcome): string {
  const head = `${through.length ? 'THROUGH' : 'held   '}  ${finding.padEnd(9)}  ${title}`;
  return [head, ...through.map((what) => `           ${what}`)].join('\n');
}
