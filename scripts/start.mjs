/**
 * `npm start`: starts a fleet on this machine. This file needs only Node; the rest is written in TypeScript and needs
 * the packages that it installs first.
 */
import { ensureInstalled, ensureNode } from './lib/install.mjs';
import { ensurePrograms } from './lib/programs.mjs';

/** @param {string} line */
const print = (line) => console.log(line);

try {
  ensureNode();
  ensureInstalled(print);
  const has = (/** @type {string[]} */ ...options) => options.some((option) => process.argv.includes(option));
  if (!has('--local') && !process.env.REDIS_URL) ensurePrograms(['redis'], print);
  if (!has('--local', '--dev', '--no-door', '--help', '-h')) ensurePrograms(['haproxy'], print);
  const { tsImport } = await import('tsx/esm/api');
  const { start } = await tsImport('./start.ts', import.meta.url);
  await start();
} catch (error) {
  console.error(`\n${error instanceof Error ? error.message : error}`);
  process.exit(1);
}
