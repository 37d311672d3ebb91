/** What a process knows of its own beats. Times are those of its monotonic clock, in ms. */
export class BeatState {
  /** How many there were. */
  count = 0;
  /** Whether the next one is due at once. */
  isDue = false;
  /** When the claim was sent that last got the lease for this process. */
  renewedAt = Number.NEGATIVE_INFINITY;
  /** Since when nobody was observed to hold the lease; null if somebody is. */
  missingSince: number | null = null;
  /** Whether a new holder still has to notify its listeners. */
  unnotified = false;
  /** Whether this process may begin things again since a beat found that no other one hosted meanwhile. */
  isCertain = false;
  /** The end of what ran when the lock was lost; null if it was never lost. */
  standingDown: Promise<void> | null = null;

  /** @param begunAt when the last one began */
  constructor(public begunAt: number) {}
}
