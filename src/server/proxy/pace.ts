/** Addresses that are remembered. */
const MOST_ADDRESSES = 10_000;

/** Gives each address its turns, at even intervals after a first burst. Times are monotonic, in ms. */
export class Pace {
  /** By address, when its next turn is; the address that was last seen is the last. */
  private readonly next = new Map<string, number>();

  /**
   * @param every ms between two turns
   * @param burst how many turns may follow each other at once, after a time without any
   * @param longest how long anybody waits
   */
  constructor(
    private readonly every: number,
    private readonly burst: number,
    private readonly longest: number,
  ) {}

  /**
   * @param address null if it is not known for certain: all of these are one
   * @returns how long to wait for the turn; null if that would be too long
   */
  turn(address: string | null, now: number): number | null {
    const key = address ?? '';
    const turn = Math.max(now - this.burst * this.every, this.next.get(key) ?? Number.NEGATIVE_INFINITY);
    if (turn - now > this.longest) return null;
    this.next.delete(key);
    this.next.set(key, turn + this.every);
    if (this.next.size > MOST_ADDRESSES) this.next.delete(this.next.keys().next().value as string);
    return Math.max(0, turn - now);
  }
}
