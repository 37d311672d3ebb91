import { AsyncLocalStorage } from 'node:async_hooks';
import path from 'node:path';
import type { HostConfig } from '../../config';
import type { GuardConfig } from '../../config/guards';
import { AppSupervisorError } from '../../errors';
import { classOfPlugin } from '../../nocobase/plugin-classes';
import { type Guard, guardMethod } from './guard';

type Run = (source: unknown, args: unknown, options: { timeout?: unknown }) => Promise<unknown>;
interface Runner {
  run: Run;
  workerScript: string;
}

/** A script's own limit in ms, or the operator's if it has none, or a longer one. */
export function timeoutOf(timeout: unknown, most: number): number {
  const wanted = Number(timeout);
  return wanted > 0 && wanted < most ? wanted : most;
}

const CONFINED = Symbol('confined by App Supervisor');

/**
 * Scripts of workflows end, and have no modules. With `WORKFLOW_SCRIPT_MODULES` NocoBase runs scripts in `node:vm`, out of
 * which they reach the process; those of the main app, which is the operator's, still do.
 */
export function scripts({ nodeModulesPath }: HostConfig, { scriptTimeout }: GuardConfig): Guard {
  const hosted = new AsyncLocalStorage<true>();

  function confine(Runner: Runner & { [CONFINED]?: true }): void {
    if (Runner[CONFINED]) return;
    const { run } = Runner;
    const quickJs = path.join(path.dirname(Runner.workerScript), 'QuickJs.js');
    Runner[CONFINED] = true;
    Runner.run = (source, args, options) => {
      if (!hosted.getStore()) return run.call(Runner, source, args, options);
      const limited = { ...options, timeout: timeoutOf(options.timeout, scriptTimeout) };
      return run.call({ workerScript: quickJs }, source, args, limited);
    };
  }

  return {
    afterLoad: (app) => {
      if (!app.pm.get('workflow-javascript')) return;
      const classOf = (file: string, name: string) => classOfPlugin(nodeModulesPath, 'workflow-javascript', file, name);
      const Runner = classOf('ScriptWorkerRunner', 'ScriptWorkerRunner') as unknown as Runner;
      if (typeof Runner.run !== 'function')
        throw new AppSupervisorError('GUARD_MISSING', { what: 'ScriptWorkerRunner' });
      confine(Runner);
      const ways: Array<[file: string, name: string, methods: string[]]> = [
        ['ScriptInstruction', 'default', ['run', 'test']],
        ['TaskConsumer', 'TaskConsumer', ['processWithPermit']],
      ];
      for (const [file, name, methods] of ways) {
        for (const method of methods) {
          guardMethod(classOf(file, name).prototype, method, (original, args) =>
            hosted.run(true, () => original(...args)),
          );
        }
      }
    },
  };
}
