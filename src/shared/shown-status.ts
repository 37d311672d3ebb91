import { say } from './message';
import type { StatusEntry } from './messages';
import type { Health, ShownStatus } from './types';

/** Everything that what is shown of one app in one environment depends on. */
export interface StatusEvidence {
  /** The incarnation that is meant; what belongs to another is ignored. */
  uid: string;
  environment: string;
  /** Of the app's newest change, a time in ms: since then it waits where its turn has not come. */
  generation: number;
  /** Newest generation published for this environment, likewise; null when its turn has not come. */
  published: number | null;
  health: Health;
  healthSince: number;
  /** What the lease's holder says, and when this observer last knew it to be true; null without any. */
  observed: { entry: StatusEntry; at: number } | null;
}

/**
 * The one function that says what is shown: list, detail, WebSocket and routing use it and nothing else.
 *
 * A worker's word is worth no more than its lease: with the environment down, or out of sight, the status is `unknown`.
 */
export function shownStatus(evidence: StatusEvidence): ShownStatus {
  const { health, healthSince, observed, environment } = evidence;
  const entry = observed?.entry.uid === evidence.uid ? observed.entry : null;
  const observedAt = entry ? (observed?.at ?? null) : null;
  if (health === 'unknown') {
    return {
      status: 'unknown',
      since: healthSince,
      observedAt,
      message: say('STATUS_DISCONNECTED'),
    };
  }
  if (health === 'down') {
    return { status: 'unknown', since: healthSince, observedAt, message: say('STATUS_DOWN', { environment }) };
  }
  if (!entry) {
    const message =
      evidence.published === null ? say('STATUS_TURN_NOT_COME') : say('STATUS_NO_ANSWER', { environment });
    return { status: 'waiting', since: evidence.published ?? evidence.generation, observedAt: null, message };
  }
  return {
    status: entry.status,
    since: entry.since,
    observedAt,
    ...(entry.message ? { message: entry.message } : {}),
    ...(entry.error ? { error: entry.error } : {}),
  };
}
