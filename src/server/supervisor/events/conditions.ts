import type { Event } from '../../../shared/event';
import { type Message, say, sayAction } from '../../../shared/message';
import type { Pressure, StatusEntry } from '../../../shared/messages';
import type { Operation } from '../../../shared/operation';
import { referenceOf } from '../../errors';
import { eventOf, ofApp } from '../definitions/change-events';
import type { DoorTrouble } from '../fleet/door-troubles';
import type { EnvironmentView } from '../fleet/observed-environment';

/**
 * What is recorded, as pure functions. Two Supervisors that notice the same make events with the same id, except for
 * what lasts: that is compared with what the table says.
 */

/** A state that lasts, and is recorded with its begin and its end. */
export type Lasting = Pick<Event, 'kind' | 'message' | 'at'> &
  Partial<Pick<Event, 'environment' | 'appName' | 'appUid' | 'cause'>>;

/** The process that held an environment when it was last observed. */
export interface Holder {
  instance: string;
  epoch: number;
  /** Whether it was shutting down. */
  isLeaving: boolean;
}

type Seen = Pick<EnvironmentView, 'name' | 'health' | 'since' | 'released' | 'held'>;
type Subject = Pick<Event, 'kind'> & Partial<Pick<Event, 'environment' | 'appUid' | 'message'>>;

/** The same for the same state of the same thing. */
export const keyOf = ({ kind, environment, appUid, message }: Subject): string =>
  [kind, environment, appUid, ...(kind === 'door' ? doorKey(message) : [])].join(' ');

/** Several things may be wrong with one door. */
const doorKey = ({ code, params = {} }: Message = { code: '' }): string[] => [
  code,
  String(params.door ?? params.file ?? ''),
];

/** @returns null if the environment is not known to be up or down: then whatever lasted still does */
export function healthOf({ name, health, since, released, held }: Seen): Lasting | 'well' | null {
  const is = (code: 'ENVIRONMENT_STOPPED' | 'ENVIRONMENT_DOWN'): Lasting => ({
    kind: 'health',
    environment: name,
    message: say(code, { environment: name }),
    at: since,
  });
  switch (health) {
    case 'online':
    case 'suspect':
      return 'well';
    case 'stopping':
      return is('ENVIRONMENT_STOPPED');
    case 'down':
      if (!released) return is('ENVIRONMENT_DOWN');
      // Another process has taken it over, and is about to register.
      return held ? null : is('ENVIRONMENT_STOPPED');
    case 'unknown':
      return null;
  }
}

/** From this share of a limit on, an environment is near it; in percent. */
export const NEAR = 90;
/** Below this share it is no longer, in percent. */
export const CLEAR = 85;

const WHAT = { heap: 'LIMIT_HEAP', container: 'LIMIT_CONTAINER', machine: 'LIMIT_MACHINE' } as const;

/**
 * What is near its limit in an environment.
 * @param view as `healthOf`, with the lease; without one nothing is known to be near
 * @returns null if it is between the two thresholds: then it stays as it was
 */
export function nearnessOf(
  kind: 'memory' | 'disk',
  { name, health, lease }: Pick<EnvironmentView, 'name' | 'health' | 'lease'>,
  now: number,
): Lasting | 'well' | null {
  if (health === 'unknown' || health === 'suspect') return null;
  const pressure = health === 'online' ? lease?.pressures?.[kind] : null;
  const percent = pressure?.limit ? Math.floor((100 * pressure.used) / pressure.limit) : 0;
  if (!pressure || percent < CLEAR) return 'well';
  if (percent < NEAR) return null;
  return { kind, environment: name, message: nearnessText(name, pressure, percent), at: now };
}

const GB = 1024 ** 3;

function nearnessText(environment: string, { of, limit }: Pressure, percent: number): Message {
  const params = { environment, percent, limit: `${(limit / GB).toFixed(1)} GB` };
  return of === 'disk' ? say('DISK_NEAR_LIMIT', params) : say('MEMORY_NEAR_LIMIT', { ...params, what: say(WHAT[of]) });
}

/**
 * Why a process is gone that had nearly used up its memory: it cannot say so itself any more.
 * @param memory the event that lasted until then, if there was one
 */
export function memoryCause(memory: Pick<Event, 'kind' | 'message'> | undefined): Message | null {
  const { percent, limit, what } = memory?.message.params ?? {};
  return percent === undefined || limit === undefined || what === undefined
    ? null
    : say('OUT_OF_MEMORY_LIKELY', { percent, limit, what });
}

export const doorCondition = ({ message, environment, app }: DoorTrouble, at: number): Lasting => ({
  kind: 'door',
  environment: environment ?? null,
  ...(app && ofApp(app)),
  message,
  at,
});

/** @returns null if it is not known whether all uploads of the app are there, or nothing has kept them from being copied yet */
export function uploadsOf(
  environment: string,
  { name, uid, uploads }: StatusEntry,
  now: number,
): Lasting | 'well' | null {
  if (uploads === null) return 'well';
  if (!uploads?.cause) return null;
  return {
    kind: 'uploads',
    environment,
    ...ofApp({ name, uid }),
    message: say('UPLOADS_NOT_COPIED', { app: name, environment, from: uploads.from }),
    cause: uploads.cause,
    at: now,
  };
}

/** @returns null if the app is neither well nor failed there, for example while it is started again */
export function conditionOf(environment: string, entry: StatusEntry, now: number): Lasting | 'well' | null {
  const { name, uid, status, error } = entry;
  // One that stopped its process may have left since.
  const hasStopped = error?.code === 'APP_STOPS_LOOP';
  if (status === 'error' || hasStopped) {
    const isCrash = error?.code === 'APP_CRASH_LOOP' || hasStopped;
    return {
      kind: isCrash ? 'crash' : 'failure',
      environment,
      ...ofApp({ name, uid }),
      message: say(isCrash ? 'APP_CRASHED' : 'APP_FAILED', {
        app: name,
        environment,
        reference: error ? referenceOf(name, error) : '-',
      }),
      cause: error ?? null,
      at: now,
    };
  }
  const isWell = status === 'running' || status === 'stopped' || status === 'not_found';
  return isWell || (status === 'dormant' && !error) ? 'well' : null;
}

/** The event that begins a state. */
export const begun = (lasting: Lasting): Event =>
  eventOf({ ...lasting, id: `${lasting.at.toString(36)} ${keyOf(lasting)}`, endedAt: null });

/** Another process holds an environment, and the one before did not shut down. */
export function displaced(environment: string, before: Holder | undefined, now: Holder, at: number): Event | null {
  if (!before || before.isLeaving || now.epoch <= before.epoch || now.instance === before.instance) return null;
  return eventOf({
    id: `holder ${environment} ${now.epoch} ${now.instance}`,
    kind: 'holder',
    environment,
    message: say('HOLDER_CHANGED', { environment, instance: now.instance, before: before.instance }),
    at,
  });
}

/** @returns null for an operation that did not fail */
export function failedOperation(operation: Operation): Event | null {
  const { id, state, action, appName, appUid, createdById, finishedAt, progress } = operation;
  if (state !== 'failed' || finishedAt === null) return null;
  const failed = progress.find((one) => one.state === 'failed');
  return eventOf({
    id: `operation ${id}`,
    kind: 'failure',
    environment: failed?.environment ?? null,
    appName,
    appUid,
    message: say('OPERATION_FAILED', { app: appName, action: sayAction(action) }),
    cause: failed?.error ?? null,
    createdById,
    operationId: id,
    at: finishedAt,
  });
}

/** Visitors are told that an app is unavailable, and a reference to the cause; the same event for the same reference. */
export const troubleOf = (
  app: Pick<Event, 'appName' | 'appUid'>,
  environment: string,
  reference: string,
  cause: Message,
  at: number,
): Event =>
  eventOf({
    ...app,
    id: `visitors ${reference}`,
    kind: 'failure',
    environment: environment || null,
    message: say('VISITORS_REFERRED', { app: app.appName ?? '-', reference }),
    cause,
    at,
  });

const DAY = 24 * 3_600_000;
/** Of a key of Redis or a channel. */
const LONGEST = 200;

/** A value in Redis that is not ours, once a day: it is read again and again. */
export function ignoredValue(key: string, at: number): Event {
  const shown = key.slice(0, LONGEST);
  return eventOf({
    id: `refusal ${shown} ${Math.floor(at / DAY)}`,
    kind: 'refusal',
    message: say('VALUE_IGNORED', { key: shown }),
    at,
  });
}

/** The store belongs to another fleet, once a day. */
export const foreignStore = (at: number): Event => ({
  ...ignoredValue('', at),
  id: `refusal fleet ${Math.floor(at / DAY)}`,
  message: say('FOREIGN_FLEET'),
});
