/* Writes a profile of the processor time of a process when it exits: Node.js 20 takes no `--cpu-prof` from NODE_OPTIONS. */
const { mkdirSync, writeFileSync } = require('node:fs');
const { Session } = require('node:inspector');
const path = require('node:path');

const folder = process.env.BENCH_PROFILE;
const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.start');
process.on('exit', () => {
  session.post('Profiler.stop', (error, result) => {
    if (error) return;
    mkdirSync(folder, { recursive: true });
    writeFileSync(path.join(folder, `${Date.now()}-${process.pid}.cpuprofile`), JSON.stringify(result.profile));
  });
});
