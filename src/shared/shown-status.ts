import { say } from './message';
import type { StatusEntry } from './messages';
import type { Health, ShownStatus } from './types';

/** Everything that determines the shown status of one app in one environment. */
export interface StatusEvidence {
  /** The expected incarnation; reports of another one are ignored. */
  uid: string;
  environment: string;
  /**
   * Generation of the app's newest change, a time in ms: the app has been waiting since then if nothing was published
   * yet.
   */
  generation: number;
  /** Newest generation published for this environment, also a time; null if nothing was published yet. */
  published: number | null;
  /** Whether it is wanted there and will be published by itself. */
  isUnderWay: boolean;
  health: Health;
  healthSince: number;
  /** Whether the environment's Worker has a release that signs nothing, so that no report of it is believed. */
  isOutdated?: boolean;
  /** The report of the lease's holder, and when this observer last knew that it was true; null if there is none. */
  observed: { entry: StatusEntry; at: number } | null;
}

/**
 * The only function that determines the shown status: list, detail, WebSocket and routing use it.
 *
 * A worker's report is valid only as long as its lease: if the environment is down or cannot be observed, the status is
 * `unknown`.
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
      message: evidence.isOutdated ? { code: 'OUTDATED', params: { environment } } : say('STATUS_DISCONNECTED'),
    };
  }
  if (health === 'down') {
    return { status: 'unknown', since: healthSince, observedAt, message: say('STATUS_DOWN', { environment }) };
  }
  if (!entry) {
    const since = evidence.published ?? evidence.generation;
    if (evidence.published === null && !evidence.isUnderWay)
      return { status: 'not_found', since, observedAt: null, message: say('STATUS_NOT_DEPLOYED') };
    const message =
      evidence.published === null ? say('STATUS_TURN_NOT_COME') : say('STATUS_NO_ANSWER', { environment });
    return { status: 'waiting', since, observedAt: null, message };
  }
  return {
    status: entry.status,
    since: entry.since,
    observedAt,
    ...(entry.message ? { message: entry.message } : {}),
    ...(entry.error ? { error: entry.error } : {}),
  };
}
