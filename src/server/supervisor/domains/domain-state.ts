import type { DomainCheck } from '../../../shared/domain-check';
import type { DomainReason } from '../../../shared/words';

/** When a domain is checked, and what follows from it, as pure functions. */

/** Interval of checks of a domain that works, in ms. */
export const VERIFIED_EVERY = 10 * 60_000;
/** The first and the longest pause after a check that failed, in ms; each is twice as long as the one before: whoever mends it waits for it. */
const FIRST_PAUSE = 5_000;
const LONGEST_PAUSE = 60_000;
/** Checks in a row, over more than two minutes, that have to fail until a domain that was verified is so no more: a proxy in front restarts. */
export const FAILURES_UNTIL_FAILED = 6;

/**
 * @param failures checks in a row that have failed
 * @returns when to check again, in ms from now
 */
export const pauseAfter = (failures: number): number =>
  failures === 0 ? VERIFIED_EVERY : Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** Math.min(failures - 1, 20));

/**
 * What is known of a domain after a check.
 * @param before of this or another domain
 * @param reason why the check failed; null: it did not
 * @param failures checks in a row that have failed, with this one
 * @param now in ms since 1970
 */
export function afterCheck(
  before: DomainCheck | null,
  domain: string,
  reason: DomainReason | null,
  failures: number,
  now: number,
): DomainCheck {
  const known = before?.domain === domain ? before : null;
  if (known?.state === 'verified' && reason !== null && reason !== 'noPublicUrl' && failures < FAILURES_UNTIL_FAILED)
    return known;
  const state = reason === null ? 'verified' : reason === 'noPublicUrl' ? 'pending' : 'failed';
  if (known?.state === state && known.reason === reason) return known;
  return { domain, state, since: known?.state === state ? known.since : now, reason };
}
