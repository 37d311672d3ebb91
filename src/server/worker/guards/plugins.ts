import { existsSync, renameSync } from 'node:fs';
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';
import type { Application } from '@nocobase/server';
import type { HostConfig } from '../../config/core-settings';
import type { GuardConfig } from '../../config/guards';
import { AppSupervisorError } from '../../errors';
import { type Guard, guardMethod } from './guard';
import { isPackageName, refusalToDisable, refusalToEnable } from './plugin-rules';

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
export function plugins({ storagePath }: HostConfig, { appPlugins }: GuardConfig): Guard {
  const withoutFile = hiding(path.join(storagePath, '.upgrading'));
  const beforeLoad = (app: Application): void => {
    const manager = Object.getPrototypeOf(app.pm);
    for (const method of appPlugins.upload ? [] : METHODS) {
      guardMethod(manager, method, async () => {
        throw new AppSupervisorError('PLUGINS_BY_OPERATOR');
      });
    }
    guardMethod(manager, 'enable', async (original, args) => {
      const refusal = refusalToEnable(args[0], appPlugins.allowed);
      if (refusal) throw refusal;
      return original(...args);
    });
    guardMethod(manager, 'disable', async (original, args) => {
      const refusal = refusalToDisable(args[0]);
      if (refusal) throw refusal;
      return original(...args);
    });
    confineCommands(manager);
    confineUpgrades(Object.getPrototypeOf(app), withoutFile);
  };
  return { beforeLoad };
}

/** Each start loads command files of the packages that rows of the app name, also by a path, as of an upload. */
function confineCommands(manager: object): void {
  guardMethod(manager, 'loadCommands', (_, args, __, self, unbound) => {
    const { repository } = self as PluginManager;
    const find = async (...options: unknown[]) =>
      (await repository.find(...options)).filter(({ packageName }) => isPackageName(packageName));
    return unbound.apply(Object.create(self, { repository: { value: { find } } }), args);
  });
}

/** Hides a file while any of several works runs. */
function hiding(file: string) {
  const hidden = `${file}-of-main`;
  // Of a process that ended meanwhile; a worker thread begins while its process hides it.
  if (isMainThread && existsSync(hidden)) renameSync(hidden, file);
  let running = 0;
  return async (work: () => unknown): Promise<unknown> => {
    if (existsSync(file)) renameSync(file, hidden);
    running++;
    try {
      return await work();
    } finally {
      if (--running === 0 && existsSync(hidden)) renameSync(hidden, file);
    }
  };
}

/**
 * A plugin that was added to the main app leaves a file, with which "the next start" upgrades: also that of an app, instead
 * of what is planned for it, and the main app would not be upgraded any more.
 */
function confineUpgrades(application: object, withoutFile: (work: () => unknown) => Promise<unknown>): void {
  guardMethod(application, 'runAsCLI', (original, args) => {
    const isStart = Array.isArray(args[0]) && args[0][0] === 'start';
    return isStart ? withoutFile(() => original(...args)) : original(...args);
  });
}
