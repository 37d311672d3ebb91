const { randomUUID } = require('node:crypto');
const { AppSupervisor, Plugin } = require('@nocobase/server');

function endless() {
  for (;;);
}

/**
 * What an app's own plugin may ask of NocoBase's core, as actions: a command task, which runs in a worker thread of the core's
 * own making (plugin-async-task-manager), events for other apps, manifests and conditions.
 */
class CoreProbe extends Plugin {
  static staticImport() {
    // NocoBase 2.2.15 ends its search for commands at this file, which gives it none.
    const broken = require('@nocobase/plugin-file-manager/dist/server/commands/repair-filenames');
    broken.default ??= () => undefined;
  }

  async load() {
    const { app } = this;
    const core = AppSupervisor.getInstance();
    const load = randomUUID();
    const heard = [];
    app.on('probe:event', (payload) => heard.push(payload));
    const actions = {
      /** Has the app's users counted by a command task, as import and export do it. */
      async task(_, ctx) {
        const argv = ['core-probe', `--app=${app.name}`];
        const tasks = app.container.get('AsyncTaskManager');
        const { record } = await tasks.createTask(
          { type: 'command', params: { argv } },
          { useQueue: true, context: ctx },
        );
        return { id: record.id };
      },
      /** Another one after each start. */
      load: async () => ({ load }),
      heard: async () => heard,
      tell: async ({ to, payload }) => core.dispatchAppEvent(to, 'probe:event', payload),
      setItem: async ({ of, namespace, key, item }) => core.setAppManifestItem(of, namespace, key, item),
      removeItem: async ({ of, namespace, key }) => core.removeAppManifestItem(of, namespace, key),
      items: async ({ of, namespace }) => core.getAppManifests(namespace, of),
      addTo: async ({ condition, environment, apps }) => core.addAppsToCondition(condition, environment, apps),
      removeFrom: async ({ condition, environment, apps }) =>
        core.removeAppsFromCondition(condition, environment, apps),
      /** Never ends, and lets nobody else have a turn. */
      loop: async () => endless(),
      membersOf: async ({ condition, ...options }) => core.getAppsByCondition(condition, options),
    };
    // So does a node of a workflow, and the start of an app with this title.
    app.pm.get('workflow')?.registerInstruction?.('core-probe', { run: endless });
    app.on('beforeStart', async () => {
      const settings = await this.db.getRepository('systemSettings').findOne();
      if (settings?.get('title') === 'core probe: loop') endless();
    });
    app.resourceManager.define({
      name: 'coreProbe',
      actions: Object.fromEntries(
        Object.entries(actions).map(([name, act]) => [
          name,
          async (ctx, next) => {
            ctx.body = (await act(ctx.action.params.values ?? {}, ctx)) ?? 'done';
            await next();
          },
        ]),
      ),
    });
    app.acl.allow('coreProbe', '*', 'loggedIn');
  }
}

Object.defineProperty(exports, '__esModule', { value: true });
exports.default = CoreProbe;
