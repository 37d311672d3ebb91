import { readdirSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from './root.mjs';

/** By command, the folders of `__tests__` that it runs and the gate does not. */
const COMMANDS = {
  'npm run test:long': ['long', 'faults', 'door', 'model'],
  'npm run test:chaos, and as the end of npm run test:long': ['chaos'],
  'npm run test:docker': ['docker'],
};

/**
 * What `npm test` does not run, so that nobody takes its verdict for more than it is.
 *
 * @param {string[]} skipped tests of files that it runs: those that are for the other client, and for programs that this machine lacks
 * @returns {string[]} lines
 */
export function leftOut(skipped) {
  const lines = Object.entries(COMMANDS).map(([command, folders]) => {
    const files = folders.flatMap((folder) => filesIn(folder).map((file) => `${folder}/${file}`));
    return `${command}: ${files.length} files: ${files.join(', ')}`;
  });
  const here = skipped.map((test) => `  ${test}`);
  const title = `npm run test:long, which runs those of browser.test.ts in NocoBase's other client: ${skipped.length} skipped here:`;
  return skipped.length ? [...lines, title, ...here] : lines;
}

/**
 * @param {string} folder of `__tests__`
 * @returns {string[]} its files with tests, without their extension
 */
const filesIn = (folder) =>
  readdirSync(path.join(ROOT, '__tests__', folder))
    .filter((file) => file.endsWith('.test.ts'))
    .map((file) => file.replace(/\.test\.ts$/, ''))
    .sort();
