import { existsSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { HostConfig } from '../../config';
import { AppSupervisorError } from '../../errors';
import type { GuardConfig } from '../../guard-config';
import { type Guard, guardMethod } from './guard';
import { isPackageName, notToDisable, notToEnable, pluginsOf } from './plugin-rules';

/**
 * Methods that add a package to `node_modules`, remove one, or query a registry. Every app of the process uses the same
 * folder.
 */
const METHODS = [
  'addViaCLI',
  'pull',
  'addByNpm',
  'addByFile',
  'addByCompressedFileUrl',
  'update',
  'upgradeByNpm',
  'upgradeByCompressedFileUrl',
  'remove',
  'create',
  'getNpmVersionList',
];

/** The core's plugin manager, as far as it is confined. */
interface PluginManager {
  repository: { find(...args: unknown[]): Promise<Array<{ packageName?: unknown }>> };
}

/** An app may enable and disable what the operator installed, with exceptions. */
export const plugins = ({ storagePath }: HostConfig, { appPlugins }: GuardConfig): Guard => ({
  beforeLoad: (app) => {
    const manager = Object.getPrototypeOf(app.pm);
    for (const method of appPlugins.upload ? [] : METHODS) {
      guardMethod(manager, method, async () => {
        throw new AppSupervisorError('PLUGINS_BY_OPERATOR');
      });
    }
    guardMethod(manager, 'enable', async (original, args) => {
      const plugin = notToEnable(pluginsOf(args[0]), appPlugins.allowed);
      if (plugin) throw new AppSupervisorError('PLUGIN_REFUSED', { plugin });
      return original(...args);
    });
    guardMethod(manager, 'disable', async (original, args) => {
      const plugin = notToDisable(pluginsOf(args[0]));
      if (plugin) throw new AppSupervisorError('PLUGIN_KEPT', { plugin });
      return original(...args);
    });
    confineCommands(manager);
    confineUpgrades(Object.getPrototypeOf(app), path.join(storagePath, '.upgrading'));
  },
});

/** Each start loads command files of the packages that rows of the app name, also by a path, as of an upload. */
function confineCommands(manager: object): void {
  guardMethod(manager, 'loadCommands', (_, args, __, self, unbound) => {
    const { repository } = self as PluginManager;
    const find = async (...options: unknown[]) =>
      (await repository.find(...options)).filter(({ packageName }) => isPackageName(packageName));
    return unbound.apply(Object.create(self, { repository: { value: { find } } }), args);
  });
}

/**
 * A plugin that was added to the main app has "the next start" upgrade: also that of an app which may not be upgraded. An
 * upgrade that this plugin plans, and the command, have options.
 */
function confineUpgrades(application: object, file: string): void {
  guardMethod(application, 'upgrade', async (original, args, _, self) => {
    if (args.length > 0) return original(...args);
    // The start deletes it next; it is of the main app.
    const keep = () => {
      if (!existsSync(file)) writeFileSync(file, 'upgrading');
    };
    (self as { once(event: string, work: () => void): void }).once('__started', keep);
    return undefined;
  });
}
