const { Plugin } = require('@nocobase/server');

/**
 * Offers one action, which has an app's users counted by a command task: in a worker thread of the core's own making
 * (plugin-async-task-manager), as import and export do it.
 */
class TaskProbe extends Plugin {
  static staticImport() {
    // NocoBase 2.2.15 ends its search for commands at this file, which gives it none.
    const broken = require('@nocobase/plugin-file-manager/dist/server/commands/repair-filenames');
    broken.default ??= () => undefined;
  }

  async load() {
    const { app } = this;
    app.resourceManager.define({
      name: 'taskProbe',
      actions: {
        async run(ctx, next) {
          const argv = ['task-probe', `--app=${app.name}`];
          const tasks = app.container.get('AsyncTaskManager');
          const { record } = await tasks.createTask(
            { type: 'command', params: { argv } },
            { useQueue: true, context: ctx },
          );
          ctx.body = { id: record.id };
          await next();
        },
      },
    });
    app.acl.allow('taskProbe', 'run', 'loggedIn');
  }
}

Object.defineProperty(exports, '__esModule', { value: true });
exports.default = TaskProbe;
