import { type Message, say } from '../../../shared/message';
import type { DatabaseCheck } from '../../../shared/messages';
import { describeError } from '../../errors';
import { isAlive } from '../../protocol/health';
import type { AppDefinition } from '../definitions/repository';
import type { CompatibilityPolicy } from '../fleet/compatibility-policy';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetObserver } from '../fleet/observer';

/** Why an environment gets no app, or not this one. */

/** Why an environment gets no apps, whichever they are; null if it does. */
export function placeRefusal(
  name: string,
  fleet: {
    compatibility: Pick<CompatibilityPolicy, 'assertUsable'>;
    environmentCache: Pick<EnvironmentCache, 'registrationOf'>;
    observer: Pick<FleetObserver, 'environment'>;
  },
): Message | null {
  const { compatibility, environmentCache, observer } = fleet;
  try {
    compatibility.assertUsable(name, 'to');
  } catch (error) {
    return describeError(error);
  }
  if (!isAlive(observer.environment(name)?.health ?? 'unknown')) return say('MOVE_PLACE_AWAY', { environment: name });
  const { serves = true } = environmentCache.registrationOf(name) ?? {};
  return serves ? null : say('MOVE_PLACE_NO_VISITORS', { environment: name });
}

/**
 * Why an environment cannot use the existing database of an app, from its check of it. The check does not know the app, so
 * it calls a database that is its own taken. Nobody can be cut off from a file.
 *
 * @param isTaken whether the app is to be taken from an environment that is down
 * @returns null if it can
 */
export function databaseRefusal(
  { checks }: DatabaseCheck,
  { uid, name, database }: Pick<AppDefinition, 'uid' | 'name' | 'database'>,
  environment: string,
  isTaken = false,
): Message | null {
  const content = checks.find((check) => check.name === 'content');
  if (content?.message.params?.uid === uid) {
    const { object } = content.message.params;
    const isFile = typeof object === 'object' && object.code === 'FILE';
    return isFile && isTaken ? say('MOVE_DATABASE_FILE', { app: name, environment }) : null;
  }
  const failed = checks.find(({ ok }) => !ok);
  // It was asked without the password, so that it says no more than that it reaches the server.
  if (failed?.name === 'signIn' && database.dbConnType === 'new_connection') return null;
  if (failed) return failed.message;
  return say('MOVE_DATABASE_ABSENT', { app: name, environment });
}
