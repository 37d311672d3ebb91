import { AsyncLocalStorage } from 'node:async_hooks';
import path from 'node:path';
import type { HostConfig } from '../../config/core-settings';
import type { GuardConfig } from '../../config/guards';
import { classOfPlugin } from '../../nocobase/plugin-classes';
import { type Guard, guardPlugin, type Replacement, replaceOnce } from './guard';

const PLUGIN = 'workflow-javascript';

type Run = (source: unknown, args: unknown, options: { timeout?: unknown }) => Promise<unknown>;
interface Runner {
  workerScript: string;
}

/** A script's own limit in ms, or the operator's if it has none, or a longer one. */
export function timeoutOf(timeout: unknown, most: number): number {
  const wanted = Number(timeout);
  return wanted > 0 && wanted < most ? wanted : most;
}

/**
 * Scripts of workflows end, and have no modules. With `WORKFLOW_SCRIPT_MODULES` NocoBase runs scripts in `node:vm`, out of
 * which they reach the process; those of the main app, which is the operator's, still do.
 */
export function scripts(host: HostConfig, { scriptTimeout }: GuardConfig): Guard {
  const hosted = new AsyncLocalStorage<true>();

  function confine(Runner: Runner): void {
    const quickJs = path.join(path.dirname(Runner.workerScript), 'QuickJs.js');
    replaceOnce<Run>(Runner, 'run', (run) => (source, args, options) => {
      if (!hosted.getStore()) return run.call(Runner, source, args, options);
      const limited = { ...options, timeout: timeoutOf(options.timeout, scriptTimeout) };
      return run.call({ workerScript: quickJs }, source, args, limited);
    });
  }

  return {
    afterLoad: (app) => {
      if (!app.pm.get(PLUGIN)) return;
      const found: unknown = classOfPlugin(host.nodeModulesPath, PLUGIN, 'ScriptWorkerRunner', 'ScriptWorkerRunner');
      confine(found as Runner);
      const mark: Replacement = (original, args) => hosted.run(true, () => original(...args));
      guardPlugin(app, host, [PLUGIN, 'ScriptInstruction', 'default'], ['run', 'test'], mark);
      guardPlugin(app, host, [PLUGIN, 'TaskConsumer', 'TaskConsumer'], ['processWithPermit'], mark);
    },
  };
}
