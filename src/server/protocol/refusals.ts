import { type Message, say } from '../../shared/message';
import type { Clock } from '../clock';
import { Feed } from '../feed';
import type { Log } from '../log';

/**
 * Why a value that another process wrote is ignored.
 * - `unreadable`: it is nothing that this plugin writes.
 * - `unsigned`: a release before 0.3.0 wrote it, or somebody else.
 * - `key`: it names another key than this process has.
 * - `forged`: its signature is wrong: it was changed, moved, or written by somebody else.
 * - `replayed`: it is older than what was read before.
 * - `unsealed`: its secrets are not sealed for this environment.
 */
export const REFUSALS = ['unreadable', 'unsigned', 'key', 'forged', 'replayed', 'unsealed'] as const;
export type Refusal = (typeof REFUSALS)[number];

const MEANINGS: Record<Refusal, string> = {
  unreadable: 'holds something that is not ours',
  unsigned: 'holds something that is not signed; releases before 0.3.0 sign nothing',
  key: 'is signed with another key; APP_SUPERVISOR_AES_SECRET_KEY, or APP_KEY where that is not set, has to be the same everywhere, and a Worker whose environment was forgotten needs a new APP_SUPERVISOR_ENVIRONMENT_KEY',
  forged: 'is signed wrongly: somebody else writes to this Redis',
  replayed: 'holds something older than before: somebody else writes to this Redis, or it is an old copy',
  unsealed: 'holds secrets that are not sealed',
};
/** How long a warning is shown after the last refusal, in ms. */
const SHOWN_FOR = 3_600_000;
/** Most places that are remembered as logged; then every one is logged again. */
const LOGGED = 1_000;

/** What was not believed: counted, logged once for each place and reason, and shown as a warning. */
export class Refusals {
  /** The place of each refused value: a Redis key or a channel. */
  readonly places = new Feed<string>();
  /** The reason of each of them. */
  readonly reasons = new Feed<Refusal>();
  private readonly counts = new Map<Refusal, number>();
  private readonly logged = new Set<string>();
  private last: { place: string; at: number } | null = null;

  constructor(
    private readonly log: Log,
    private readonly clock: Clock,
  ) {}

  /** @param problem details for the log; never the value itself */
  note(place: string, refusal: Refusal, problem?: string): void {
    this.counts.set(refusal, (this.counts.get(refusal) ?? 0) + 1);
    // What is merely old or of another release is no sign of somebody else.
    if (refusal === 'forged' || refusal === 'unsealed') this.last = { place, at: this.clock.now().mono };
    this.places.emit(place);
    this.reasons.emit(refusal);
    const line = `${refusal} ${place}`;
    if (this.logged.has(line)) return;
    if (this.logged.size >= LOGGED) this.logged.clear();
    this.logged.add(line);
    this.log.warn(`Redis: ${place} ${MEANINGS[refusal]}; it is ignored.`, problem ? { problem } : undefined);
  }

  /** By reason, since the start of this process. */
  all(): IterableIterator<[Refusal, number]> {
    return this.counts.entries();
  }

  warnings(): Message[] {
    if (!this.last || this.clock.now().mono - this.last.at > SHOWN_FOR) return [];
    const count = [...this.counts.values()].reduce((sum, each) => sum + each, 0);
    return [say('REDIS_FORGED', { key: this.last.place, count })];
  }
}
