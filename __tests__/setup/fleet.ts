import { inject } from 'vitest';
import type { TestProject } from 'vitest/node';
import type { Client } from '../../scripts/browser';
import { Fleet } from '../../scripts/fleet';
import { recorderEnv } from '../../scripts/fleet/process-recorder';
import { PLUGINS_LEFT_OUT } from '../support/plugins-left-out';
import { installTestPlugin } from '../support/test-plugin';
import { endUnharmed } from '../support/verdict';

/**
 * One fleet for all tests of a project: a Supervisor and two Workers in processes of their own, apart from a developer's
 * `npm start`. Tests get at it with `sharedFleet()`.
 */

declare module 'vitest' {
  interface ProvidedContext {
    fleet: string;
    /** In which of NocoBase's clients this run tests our pages whole. */
    client: Client['client'];
  }
}

/** The running fleet; whatever an earlier test did to its processes is undone. */
export async function sharedFleet(): Promise<Fleet> {
  const fleet = Fleet.attach(inject('fleet'));
  await fleet.heal();
  await fleet.waitForWorkers();
  return fleet;
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const fleet = await Fleet.start({
    name: project.name,
    port: 'free',
    reset: true,
    durable: false,
    // Chaos tests take either Redis away alone.
    separateCommandRedis: project.name === 'chaos',
    door: project.name === 'door',
    instanceEnv: { supervisor: { TELEMETRY_ENABLED: 'on', TELEMETRY_METRIC_READER: 'console' } },
    env: {
      ...recorderEnv(project.name),
      ...installTestPlugin(project.name === 'chaos' ? 'poison' : 'core-probe'),
      FLEET_WITHOUT: project.name === 'e2e' ? PLUGINS_LEFT_OUT : '',
    },
  });
  project.provide('fleet', fleet.config.name);
  project.provide('client', project.name === 'long' ? 'legacy' : 'modern');
  return () => endUnharmed(fleet);
}
