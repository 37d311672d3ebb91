/**
 * Loaded into a NocoBase process by instance-env.cjs if FLEET_RECORDER names a folder: records, independently of the
 * plugin, what this process does with its apps and whether it fails. One file for each process, one JSON object on each
 * line (process-recorder.ts reads them), written immediately, so that a kill loses nothing that has happened.
 */
const fs = require('node:fs');
const path = require('node:path');
const Module = require('node:module');

const name = process.env.ENVIRONMENT_NAME || process.env.APP_MODE || 'nocobase';
const folder = process.env.FLEET_RECORDER;
fs.mkdirSync(folder, { recursive: true });
const file = fs.openSync(path.join(folder, `${name}-${process.pid}-${Date.now()}.jsonl`), 'a');
const note = (what, rest) => fs.writeSync(file, `${JSON.stringify({ at: Date.now(), what, ...rest })}\n`);

note('begin', { part: name, pid: process.pid });
// Only observes: the process ends as it would have ended without it.
process.on('uncaughtExceptionMonitor', (error, origin) => {
  note('crash', { message: `${origin}: ${error?.stack ?? error}` });
});
process.on('exit', (code) => note('exit', { code }));

let boots = 0;

function watchApps(supervisor) {
  supervisor.on('afterAppAdded', (app) => {
    if (app.name === 'main') return;
    const boot = { app: app.name, boot: ++boots };
    note('added', boot);
    let running = false;
    app.on('afterStart', () => {
      if (!running) note('running', boot);
      running = true;
    });
    app.on('beforeDestroy', () => note('leaving', boot));
    app.on('afterDestroy', () => note('gone', boot));
  });
}

const load = Module._load;
Module._load = function (request, ...rest) {
  const exported = load.call(this, request, ...rest);
  // While the package is being loaded, its parts require it and get an incomplete one; the first one that has this
  // class is used.
  if (request === '@nocobase/server' && Module._load !== load && exported.AppSupervisor?.getInstance) {
    Module._load = load;
    watchWhenMade(exported.AppSupervisor);
  }
  return exported;
};

/** The first call creates it, with adapters that are registered only now. */
function watchWhenMade(AppSupervisor) {
  const { getInstance } = AppSupervisor;
  AppSupervisor.getInstance = () => {
    AppSupervisor.getInstance = getInstance;
    const supervisor = AppSupervisor.getInstance();
    watchApps(supervisor);
    return supervisor;
  };
}
