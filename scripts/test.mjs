/**
 * `npm test`: from a fresh clone to a verdict. Installs what is missing, builds, checks, and runs unit, integration and
 * end-to-end tests. `npm run test:long` runs all other tests: those that take long and rarely break, and chaos. Every stage
 * runs even if an earlier one failed, so that one run tells everything.
 *
 * Before the end, `npm test` names what it leaves to other commands.
 *
 * The line before the last one is the processor time of all of it. The last line is `N passed, N failed` over all tests; a failed
 * stage that is no test counts as one failure.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { CpuTime } from './lib/cpu-time.mjs';
import { ensureInstalled, ensureNode } from './lib/install.mjs';
import { leftOut } from './lib/left-out.mjs';
import { ensurePrograms } from './lib/programs.mjs';
import { ROOT } from './lib/root.mjs';

const RESULTS = path.join(ROOT, '.fleet/test-results');

const total = { passed: 0, failed: 0 };
/** @type {Array<{ name: string, seconds: number }>} */
const slowest = [];
/** @type {string[]} one text each */
const failures = [];
const cpuTime = new CpuTime();
/** @type {string[]} tests of files that ran */
const skipped = [];

/** @type {import('./lib/programs.mjs').ProgramName[]} */
const PROGRAMS = [
  'redis',
  'valkey',
  'postgresql',
  'mariadb',
  'pgbouncer',
  'nginx',
  'haproxy',
  'caddy',
  'chromium',
  'kubectl',
];

try {
  ensureNode();
  mkdirSync(RESULTS, { recursive: true });
  // While npm installs, which keeps this process from anything else.
  const begun = run(
    'programs',
    [process.execPath, 'scripts/lib/programs.mjs', ...PROGRAMS],
    path.join(RESULTS, 'programs.log'),
  );
  ensureInstalled(console.log);
  // What could not be installed then is tried again, and says why it cannot be.
  const programs = begun.then(() => ensurePrograms(PROGRAMS, console.log));
  await (process.argv[2] === 'long' ? runLong(programs) : runGate(programs));
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`);
  total.failed++;
}
printSlowest();
if (process.argv[2] !== 'long') console.log(`== left out here, run by\n${leftOut(skipped).join('\n')}\n`);
printFailures();
console.log(cpuTime.text());
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed || !total.passed ? 1 : 0);

/**
 * In two lanes, as a machine of CI has cores: a third one takes no less time, and more of the processors. Each stage shows its output
 * once it has ended.
 *
 * @param {Promise<void>} programs ends once those that tests start are installed
 */
async function runGate(programs) {
  // Compiled for a minute by one core, where there was none to download; only later stages need it.
  const compile = () => run('SQLite driver', [process.execPath, 'scripts/lib/sqlite.mjs']);
  const driver = programs.then(compile, () => false);
  const prepared = prepareFleets(programs);
  // scripts/fleet/ports.ts: none of the lanes chooses a port of another one.
  const ports = path.join(RESULTS, 'ports');
  rmSync(ports, { recursive: true, force: true });
  mkdirSync(ports);
  process.env.APP_SUPERVISOR_CHOSEN_PORTS = ports;
  const onFleets = async () => {
    await prepared;
    await runTests('e2e', true);
    await runTests('alone', true);
  };
  const others = async () => {
    await Promise.all([prepared, runChecks(driver)]);
    await runTests('integration', true);
  };
  await Promise.all([onFleets(), others()]);
}

/** @param {Promise<boolean>} driver */
async function runChecks(driver) {
  await runScript('typecheck', true);
  await runScript('lint', true);
  await runTests(['unit', 'unit-mocks', 'unit-classes'], true);
  count('SQLite driver', await driver);
  // Asks of every import where it leads, the driver's too.
  await runScript('cycles', true);
}

/** @param {Promise<void>} programs */
async function runLong(programs) {
  await runTests('model');
  await prepareFleets(programs);
  await runTests('faults');
  await runTests('long');
  await runTests('door');
  await runTests('chaos');
}

/**
 * What all fleets of a machine share.
 *
 * @param {Promise<void>} programs
 */
async function prepareFleets(programs) {
  await runScript('build');
  await programs;
  count('what fleets share', await run('fleets', [process.execPath, '--import', 'tsx', 'scripts/fleet/prepare.ts']));
}

/**
 * @param {string} name
 * @param {boolean} succeeded
 */
function count(name, succeeded) {
  if (succeeded) return;
  console.error(`\n== ${name} failed`);
  failures.push(name);
  total.failed++;
}

/**
 * @param {string} name of a script of package.json
 * @param {boolean} [later] its output is shown once it has ended
 */
async function runScript(name, later) {
  count(name, await runStage(name, ['npm', 'run', '--silent', name], later));
}

/**
 * @param {string | string[]} projects of vitest.config.mts; the stage has the name of the first one
 * @param {boolean} [later] its output is shown once it has ended
 */
async function runTests(projects, later) {
  const [project, ...others] = [projects].flat();
  const file = path.join(RESULTS, `${project}.json`);
  rmSync(file, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const named = [project, ...others].flatMap((name) => ['--project', name]);
  const vitest = [process.execPath, 'node_modules/vitest/vitest.mjs', 'run', ...named, ...reporters];
  const succeeded = await runStage(`${project} tests`, vitest, later);
  const { passed, failed } = existsSync(file) ? countsOf(file) : { passed: 0, failed: 0 };
  total.passed += passed;
  // A set-up that failed or an error outside of any test shows in the exit code alone.
  if (!failed && !(succeeded && passed)) failures.push(`${project} tests: see their output above`);
  total.failed += failed || (succeeded && passed ? 0 : 1);
}

/** The slowest files over all projects, as a hint for shortening the run. */
function printSlowest() {
  slowest.sort((one, other) => other.seconds - one.seconds);
  const rows = slowest.slice(0, 10).map(({ name, seconds }) => `${seconds.toFixed(1).padStart(7)} s  ${name}`);
  if (rows.length) console.log(`\n== slowest files\n${rows.join('\n')}\n`);
}

/** Last, since of a long output often the end alone is kept. */
function printFailures() {
  if (failures.length) console.log(`== failed\n${failures.join('\n\n')}\n`);
}

/**
 * Keeps, too, what it says of those that failed, and how long each file took.
 *
 * @param {string} file of vitest's JSON reporter
 * @returns {{ passed: number, failed: number }}
 */
function countsOf(file) {
  /** @typedef {{ status: string, fullName: string, failureMessages: string[] }} Assertion */
  /** @typedef {{ name: string, startTime: number, endTime: number, status: string, message: string, assertionResults: Assertion[] }} TestFile */
  /** @type {{ numPassedTests: number, numFailedTests: number, testResults: TestFile[] }} */
  const report = JSON.parse(readFileSync(file, 'utf8'));
  for (const { name, startTime, endTime } of report.testResults) {
    slowest.push({ name: path.relative(ROOT, name), seconds: (endTime - startTime) / 1000 });
  }
  const failedToLoad = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
  );
  for (const { name, message } of failedToLoad) failures.push(textOfFailure(name, 'did not load', [message]));
  for (const { name, assertionResults } of report.testResults) {
    for (const { status, fullName, failureMessages } of assertionResults) {
      if (status === 'failed') failures.push(textOfFailure(name, fullName, failureMessages));
      if (status === 'skipped' || status === 'pending') skipped.push(`${path.relative(ROOT, name)} > ${fullName}`);
    }
  }
  return { passed: report.numPassedTests, failed: report.numFailedTests + failedToLoad.length };
}

/**
 * @param {string} file
 * @param {string} test
 * @param {string[]} messages
 * @returns {string} what somebody needs who sees nothing else of the run
 */
function textOfFailure(file, test, messages) {
  const lines = messages.join('\n').split('\n');
  const shown = lines.slice(0, 20).map((line) => `    ${line.slice(0, 300)}`);
  return [`${path.relative(ROOT, file)} > ${test}`, ...shown].join('\n');
}

/**
 * @param {string} name
 * @param {string[]} command
 * @param {boolean} [later] its output is kept in a file, and shown once it has ended
 * @returns {Promise<boolean>} whether it succeeded
 */
async function runStage(name, command, later) {
  console.log(later ? `${name} …` : `\n== ${name}`);
  const log = later ? path.join(RESULTS, `${name.replaceAll(' ', '-')}.log`) : undefined;
  const succeeded = await run(name, command, log);
  if (log) console.log(`\n== ${name}\n${readFileSync(log, 'utf8')}`);
  return succeeded;
}

/**
 * @param {string} name by which its processor time is noted
 * @param {string[]} command
 * @param {string} [log]
 * @returns {Promise<boolean>} whether it succeeded
 */
function run(name, [program, ...args], log) {
  return new Promise((resolve) => {
    const out = log ? openSync(log, 'w') : 'inherit';
    const child = spawn(program, args, { cwd: ROOT, stdio: ['ignore', out, out] });
    child.once('error', (error) => {
      console.error(error.message);
      resolve(false);
    });
    // Before 'close', which another process that has its output may delay.
    child.once('exit', () => cpuTime.note(name));
    child.once('close', (code) => resolve(code === 0));
  });
}
