/**
 * Preloaded into a NocoBase process: sets the environment variables that `nocobase-v1 start` would set, and writes the
 * HTML shell that it would write. The command itself is not used, since it stays as a wrapper around the process that
 * does the work: a wrapper that survives its death, and that must be waited for at each start.
 */
const { isMainThread } = require('node:worker_threads');

// Worker threads inherit both the preload and its result.
if (isMainThread) {
  const { initEnv, generateAppDir } = require('@nocobase/cli-v1/src/util');
  initEnv();
  generateAppDir();
  if (process.env.FLEET_WITNESS) require('./witness.cjs');
}
