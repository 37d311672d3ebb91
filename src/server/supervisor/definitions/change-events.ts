import { APP, type AppDefinition } from '../../../shared/app';
import type { Event, SettingChange } from '../../../shared/event';
import { keysIn, pickIn } from '../../../shared/fields';
import { type Message, say, sayAction } from '../../../shared/message';
import type { Operation } from '../../../shared/operation';
import type { MoveCause } from '../../../shared/words';

/** What people change, as events. Pure functions; they are written together with the change itself. */

/** A moment, about nothing but what is said. */
export const eventOf = (said: Pick<Event, 'id' | 'kind' | 'message' | 'at'> & Partial<Event>): Event => ({
  appName: null,
  appUid: null,
  environment: null,
  cause: null,
  createdById: null,
  operationId: null,
  changes: null,
  endedAt: said.at,
  ...said,
});

/** That an event is about this app. */
export const ofApp = ({ name, uid }: Pick<AppDefinition, 'name' | 'uid'>) => ({ appName: name, appUid: uid });

/** In characters. */
const LONGEST = 200;
const SECRET = /password|secret|token|key|credential/i;

/** Settings that people enter: `options` is stored as these two. */
const SETTINGS = [...keysIn(APP, 'update'), 'database', 'sso'];

/** The settings that differ, in the order of their declaration, with the names of the form. */
export function changesBetween(before: AppDefinition, after: AppDefinition): SettingChange[] {
  const [old, now] = [settingsOf(before), settingsOf(after)];
  const fields = [...new Set([...old.keys(), ...now.keys()])];
  return fields
    .filter((field) => old.get(field) !== now.get(field))
    .map((field) =>
      SECRET.test(field)
        ? { field, before: null, after: null, isSecret: true }
        : { field, before: shortened(old.get(field)), after: shortened(now.get(field)) },
    );
}

function settingsOf(app: AppDefinition): Map<string, string> {
  const table = pickIn(APP, 'table', app) as Record<string, unknown>;
  const found = new Map<string, string>();
  for (const key of SETTINGS) flatten(key, table[key], found);
  return found;
}

/** `{database: {host: 'a'}}` as `database.host`: a secret in it has a name of its own. Lists are one value. */
function flatten(name: string, value: unknown, into: Map<string, string>): void {
  if (value === null || value === undefined || value === '') return;
  if (Array.isArray(value)) {
    if (value.length) into.set(name, value.join(', '));
  } else if (typeof value !== 'object') into.set(name, String(value));
  else for (const [key, inner] of Object.entries(value)) flatten(`${name}.${key}`, inner, into);
}

function shortened(value: string | undefined): string | null {
  if (value === undefined) return null;
  // An icon is a picture of up to 48 KB.
  if (value.startsWith('data:')) return value.slice(0, value.indexOf(';'));
  return value.length > LONGEST ? `${value.slice(0, LONGEST)}…` : value;
}

/** The event that an operation was requested or, without a person, begun by the control loop. */
export function requested(operation: Operation, changes: SettingChange[]): Event {
  const { id, action, cause, appName, appUid, createdById, createdAt, progress } = operation;
  const isByPerson = createdById !== null;
  const moved = cause && movedBy(operation, cause);
  const params = { app: appName, action: sayAction(action) };
  const environments = [...new Set(progress.map(({ environment }) => environment))];
  return eventOf({
    id: `requested ${id}`,
    kind: cause ?? (isByPerson ? 'change' : 'healing'),
    appName,
    appUid,
    environment: moved ? moved.home : environments.length === 1 ? environments[0] : null,
    message: moved
      ? moved.message
      : changes.length
        ? say('SETTINGS_CHANGED', { app: appName })
        : say(isByPerson ? 'OPERATION_REQUESTED' : 'OPERATION_BY_SUPERVISOR', params),
    createdById,
    operationId: id,
    changes: changes.length ? changes : null,
    at: createdAt,
  });
}

/** What a move that is not for good says, and the environment that it is about: the one that is or was down. */
function movedBy({ appName: app, progress }: Operation, cause: MoveCause): { message: Message; home: string } {
  const from = progress.find(({ of }) => of === 'leave')?.environment ?? '-';
  const to = progress.find(({ of }) => of !== 'leave')?.environment ?? '-';
  return cause === 'failover'
    ? { message: say('FAILOVER_BEGUN', { app, from, to }), home: from }
    : { message: say('FAILBACK_BEGUN', { app, from, to }), home: to };
}

/**
 * The event that the database role of an app has another password, by a change of its row.
 * @returns null if it is another change
 */
export function passwordRenewed(
  { name, uid, database: before }: Pick<AppDefinition, 'name' | 'uid' | 'database'>,
  database: AppDefinition['database'] | undefined,
  at: number,
): Event | null {
  if (!before.nextPassword || !database || database.password !== before.nextPassword) return null;
  return eventOf({
    id: `password ${uid} ${at}`,
    kind: 'healing',
    ...ofApp({ name, uid }),
    message: say('ROLE_PASSWORD_RENEWED', { app: name, role: database.username ?? '' }),
    at,
  });
}

/** The event that somebody cancelled an operation. */
export const cancelRequested = (operation: Operation, userId: string | null, at: number): Event => ({
  ...requested(operation, []),
  id: `cancelled ${operation.id}`,
  kind: 'change',
  message: say('CANCEL_REQUESTED', { app: operation.appName, action: sayAction(operation.action) }),
  createdById: userId,
  at,
  endedAt: at,
});

/** The event that somebody changed something without an operation. @param of what it is; @param id unique */
export const changed = (
  of: string,
  said: Pick<Event, 'message' | 'createdById' | 'at'> & Partial<Event>,
  id: string,
): Event => eventOf({ id: `change ${of} ${said.at} ${id}`, kind: 'change', ...said });
