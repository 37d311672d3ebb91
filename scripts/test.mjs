/**
 * `npm test`: from a fresh clone to a verdict. Installs what is missing, builds, checks, and runs unit, integration and
 * end-to-end tests. Every stage runs even if an earlier one failed, so that one run tells everything.
 *
 * The last line is `N passed, N failed` over all tests; a failed stage that is no test counts as one failure.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { ensureInstalled, ensureNode } from './lib/install.mjs';
import { ensurePrograms } from './lib/programs.mjs';
import { ROOT } from './lib/root.mjs';
import { ensureSqliteDriver } from './lib/sqlite.mjs';

const RESULTS = path.join(ROOT, '.fleet/test-results');

const total = { passed: 0, failed: 0 };

try {
  ensureNode();
  ensureInstalled(console.log);
  ensurePrograms(['redis', 'valkey', 'postgresql', 'mariadb', 'pgbouncer', 'nginx', 'caddy', 'chromium'], console.log);
  ensureSqliteDriver(console.log);
  for (const script of ['build', 'check']) runScript(script);
  for (const project of ['unit', 'integration', 'e2e']) runTests(project);
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`);
  total.failed++;
}
console.log(`${total.passed} passed, ${total.failed} failed`);
process.exit(total.failed || !total.passed ? 1 : 0);

/** @param {string} script */
function runScript(script) {
  console.log(`\n== ${script}`);
  if (!run(['npm', 'run', '--silent', script])) total.failed++;
}

/** @param {string} project */
function runTests(project) {
  console.log(`\n== ${project} tests`);
  const file = path.join(RESULTS, `${project}.json`);
  mkdirSync(RESULTS, { recursive: true });
  rmSync(file, { force: true });
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const succeeded = run([
    process.execPath,
    'node_modules/vitest/vitest.mjs',
    'run',
    '--project',
    project,
    ...reporters,
  ]);
  const { passed, failed } = existsSync(file) ? countsOf(file) : { passed: 0, failed: 0 };
  total.passed += passed;
  // A set-up that failed or an error outside of any test shows in the exit code alone.
  total.failed += failed || (succeeded && passed ? 0 : 1);
}

/**
 * @param {string} file of vitest's JSON reporter
 * @returns {{ passed: number, failed: number }}
 */
function countsOf(file) {
  /** @typedef {{ status: string, assertionResults: Array<{ status: string }> }} TestFile */
  /** @type {{ numPassedTests: number, numFailedTests: number, testResults: TestFile[] }} */
  const report = JSON.parse(readFileSync(file, 'utf8'));
  const failedToLoad = report.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && !assertionResults.some((assertion) => assertion.status === 'failed'),
  );
  return { passed: report.numPassedTests, failed: report.numFailedTests + failedToLoad.length };
}

/** @param {string[]} command */
function run([program, ...args]) {
  return spawnSync(program, args, { cwd: ROOT, stdio: 'inherit' }).status === 0;
}
