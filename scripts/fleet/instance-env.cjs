/**
 * Preloaded into a NocoBase process: sets the environment variables that `nocobase-v1 start` would set, and writes the
 * HTML shell that it would write. The command itself is not used, because it stays as a wrapper around the process that
 * does the work: the wrapper outlives that process, and each start would have to wait for it.
 */
const fs = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');
const { isMainThread } = require('node:worker_threads');

// Worker threads inherit both the preload and its result.
if (isMainThread) {
  require('./compiled.cjs').use();
  const { initEnv, generateAppDir } = require('@nocobase/cli-v1/src/util');
  initEnv();
  oneByOne(() => wholly(generateAppDir));
  if (process.env.FLEET_RECORDER) require('./process-recorder.cjs');
  if (process.env.FLEET_DEV) require('./dev.cjs');
}
// Threads load apps, too.
if (process.env.FLEET_WITHOUT) require('./fewer-plugins.cjs');

/** All instances write the same page into the same folder, so they take turns. */
function oneByOne(work) {
  const lock = path.join(tmpdir(), `nocobase-page-${Buffer.from(process.cwd()).toString('hex').slice(-100)}`);
  // An instance that was killed meanwhile must not make the others wait forever.
  const deadline = Date.now() + 10_000;
  for (;;) {
    try {
      fs.mkdirSync(lock);
      break;
    } catch {
      if (Date.now() > deadline) break;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
  try {
    work();
  } finally {
    fs.rmSync(lock, { recursive: true, force: true });
  }
}

/** Writes a file only if it has changed, and atomically: another instance may be serving it. */
function wholly(work) {
  const core = path.dirname(require.resolve('@nocobase/cli-v1/src/util'));
  const its = require(require.resolve('fs-extra', { paths: [core] }));
  const { writeFileSync } = its;
  its.writeFileSync = (file, data, options) => {
    if (fs.existsSync(file) && fs.readFileSync(file, 'utf8') === data) return;
    writeFileSync(`${file}.new`, data, options);
    fs.renameSync(`${file}.new`, file);
  };
  try {
    work();
  } finally {
    its.writeFileSync = writeFileSync;
  }
}
