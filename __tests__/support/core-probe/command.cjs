const { AppSupervisor } = require('@nocobase/server');
const { parentPort } = require('node:worker_threads');

Object.defineProperty(exports, '__esModule', { value: true });
exports.default = (main) => {
  main
    .command('core-probe')
    .preload()
    .option('--app <name>')
    .option('--taskId <id>')
    .action(async ({ app: name }) => {
      const app = await AppSupervisor.getInstance().getApp(name);
      const users = await app.db.getRepository('users').count();
      await app.db.getRepository('users').create({ values: { username: `task-${users}`, password: 'secret-123' } });
      const apps = AppSupervisor.getInstance()
        .getApps()
        .map((other) => other.name);
      parentPort.postMessage({ type: 'success', payload: { app: app.name, users, apps } });
    });
};
