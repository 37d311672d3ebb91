import type { AppSupervisor } from '@nocobase/server';
import type { ActiveConfig } from '../config';
import type { FindInstalled } from '../nocobase/installed-plugins';
import type { WorkLog } from '../worker/watchdog/busy-with';
import { endAfterFailedStart } from './first-start';
import { type Foundation, layFoundation } from './foundation';
import { LocalRuntime } from './local-runtime';
import type { Runtime } from './runtime';
import { SupervisorRuntime } from './supervisor-runtime';
import { WorkerRuntime } from './worker-runtime';

/** The runtime of this process, by its role. */
export function createRuntime(
  config: ActiveConfig,
  host: AppSupervisor,
  findInstalled: FindInstalled,
  work: WorkLog,
): Runtime {
  const foundation = layFoundation(config, host, findInstalled, work);
  const runtime = runtimeFor(config, foundation);
  foundation.coreApps.isManaged = (name) => runtime.manages(name);
  // In shared memory the plugin is a guest of a NocoBase that is run as its operator wants.
  if (config.active && config.part !== 'local') endAfterFailedStart(host, () => runtime.probeState());
  foundation.coreApps.titleOf = (name) => runtime.models().find((model) => model.name === name)?.title;
  return runtime;
}

function runtimeFor(config: ActiveConfig, foundation: Foundation): Runtime {
  if (config.part === 'supervisor') return new SupervisorRuntime(config, foundation);
  // A process that runs only one app manages none: the process next to it does.
  const only = config.active ? config.singleApp : null;
  if (config.part === 'worker' || only) return new WorkerRuntime(config, only, foundation);
  return new LocalRuntime(config, foundation);
}
