import { messageOf } from '../errors';
import type { Log } from '../log';
import type { CoreAppRegistry } from '../nocobase/core-app-registry';
import type { MessageBus } from '../protocol/bus';
import type { WorkerPart } from '../worker/worker';
import type { AppStatuses } from './adapters/managed';
import type { MainApp } from './main-app';

/** How long the delivery of another plugin's event may take, in ms. */
const EVENT_TIMEOUT = 10_000;

/** An event that another plugin emits on an app. */
export interface AppEvent {
  name: string;
  event: string;
  payload: unknown;
}

/** Delivers an event in one environment. */
export type Deliver = (environment: string, event: AppEvent) => Promise<unknown>;

/** Delivers with a request to the Worker of the environment. */
export const deliverBy =
  (bus: MessageBus): Deliver =>
  (environment, event) =>
    bus.request(environment, 'appEvent', event, EVENT_TIMEOUT);

/** Delivers in this process, which knows of its own environment alone. */
export const deliverHere =
  ({ host }: WorkerPart, coreApps: CoreAppRegistry): Deliver =>
  async (_, { name, event, payload }) => {
    if (host.isRunning(name)) await coreApps.apps[name].emitAsync(event, payload);
  };

/** Delivers an event in every environment where its app runs. Never rejects. */
export async function deliverEverywhere(
  appEvent: AppEvent,
  statuses: AppStatuses,
  deliver: Deliver,
  log: Log,
): Promise<void> {
  const { name, event } = appEvent;
  const found = statuses[name] ?? {};
  const places = typeof found === 'string' ? [] : Object.keys(found).filter((place) => found[place] === 'running');
  await Promise.all(
    places.map((place) =>
      deliver(place, appEvent).catch((error) =>
        log.warn(`Event ${event} did not reach app ${name} in ${place}: ${messageOf(error)}`, {
          app: name,
          environment: place,
        }),
      ),
    ),
  );
}

/** Delivers an event to the fleet's main app, which is the Supervisor's. Never rejects. */
export async function deliverToMain(mainApp: MainApp, event: string, payload: unknown, log: Log): Promise<void> {
  try {
    await mainApp.app?.emitAsync(event, payload);
  } catch (error) {
    log.warn(`Event ${event} failed in the main app: ${messageOf(error)}`);
  }
}
