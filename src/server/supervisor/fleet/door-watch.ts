import { DOOR_REPORT_EVERY, type DoorReport, MOST_DOORS } from '../../../shared/door-report';
import type { Clock, Timer } from '../../clock';
import { Feed } from '../../feed';
import type { DoorStore } from '../../protocol/stores/doors';
import { countedBetween, type DoorCounts } from './door-counts';
import type { SeenDoor } from './door-troubles';

/** A door whose reports have not changed for so long is silent, in ms. */
export const SILENT_AFTER = 4 * DOOR_REPORT_EVERY;
/** What is silent for so long is forgotten, in ms. */
const FORGOTTEN_AFTER = 24 * 3_600_000;

export interface DoorWatchOptions {
  doors: DoorStore;
  clock: Clock;
  /** Only the leader forgets doors. */
  leads(): boolean;
}

interface Known {
  report: DoorReport;
  /** When its last report was new, by the monotonic clock and by the wall clock. */
  mono: number;
  wall: number;
  /** Requests and errors a second, between its last two reports; null before there were two. */
  rates: { requests: number; errors: number } | null;
  /** False: it has said good-bye, or its report is lost. What it counts when it comes back is counted from its last report. */
  isThere: boolean;
}

/** Reads what doors report, on every Supervisor. All of it is what others say: the listeners look whether it is of something that they know. */
export class DoorWatch {
  /** What doors have counted since they were last read. */
  readonly counts = new Feed<DoorCounts>();
  /** Environments that have refused a door's connections. */
  readonly refusals = new Feed<string>();
  /** Something was read. */
  readonly changes = new Feed<void>();
  private known = new Map<string, Known>();
  /** When it was first read, by the monotonic clock: what is new since has begun since. */
  private readSince: number | null = null;
  private timer: Timer | null = null;

  constructor(private readonly options: DoorWatchOptions) {}

  start(): void {
    this.timer = this.options.clock.interval(DOOR_REPORT_EVERY, () => void this.read());
    void this.read();
  }

  stop(): void {
    this.timer?.cancel();
  }

  /** Never rejects. */
  async read(): Promise<void> {
    const { doors, clock } = this.options;
    const reports = await doors.read().catch(() => null);
    // While Redis is away nothing is known of doors: none of them is silent.
    if (!reports) return this.pause();
    const { mono, wall } = clock.now();
    for (const known of this.known.values()) known.isThere = false;
    for (const report of reports) {
      const last = this.known.get(report.id);
      if (last && last.report.seq === report.seq && last.report.start === report.start) last.isThere = true;
      else this.take(report, last, mono, wall);
    }
    this.readSince ??= mono;
    await this.forget(mono);
    this.changes.emit();
  }

  /** Whether it has read for long enough to tell which doors are silent. */
  get isSettled(): boolean {
    return this.readSince !== null && this.options.clock.now().mono - this.readSince >= SILENT_AFTER;
  }

  /** How many have said good-bye so shortly ago that they may only be starting again. */
  get leaving(): number {
    const { mono } = this.options.clock.now();
    return [...this.known.values()].filter((known) => !known.isThere && mono - known.mono < SILENT_AFTER).length;
  }

  /** The doors, as they are shown. */
  all(): SeenDoor[] {
    const { mono } = this.options.clock.now();
    return [...this.known.values()]
      .filter(({ isThere }) => isThere)
      .map(({ report, rates, wall, mono: at }) => ({
        report,
        rates,
        isSilent: mono - at >= SILENT_AFTER,
        seenAt: wall,
      }))
      .sort((one, other) => (one.report.id < other.report.id ? -1 : 1));
  }

  private take(report: DoorReport, last: Known | undefined, mono: number, wall: number): void {
    const isSameStart = last?.report.start === report.start;
    const seconds = last ? Math.max(1, mono - last.mono) / 1_000 : 1;
    const rate = (what: 'requests' | 'errors') =>
      Math.max(0, report[what] - (last && isSameStart ? last.report[what] : 0)) / seconds;
    const rates = last ? { requests: rate('requests'), errors: rate('errors') } : null;
    this.known.set(report.id, { report, mono, wall, rates, isThere: true });
    // What came before this process read anything is of a time that it knows nothing of.
    if (last || this.readSince !== null)
      this.counts.emit(countedBetween(isSameStart ? (last as Known).report : null, report));
    for (const environment of report.refused) this.refusals.emit(environment);
  }

  private pause(): void {
    const { mono } = this.options.clock.now();
    for (const known of this.known.values()) known.mono = Math.max(known.mono, mono - DOOR_REPORT_EVERY);
  }

  private async forget(now: number): Promise<void> {
    const { doors, leads } = this.options;
    for (const [id, { mono, isThere }] of this.known) {
      if (now - mono < FORGOTTEN_AFTER || (isThere && !leads())) continue;
      if (isThere) await doors.remove(id).catch(() => undefined);
      this.known.delete(id);
    }
    const gone = [...this.known]
      .filter(([, { isThere }]) => !isThere)
      .sort(([, one], [, other]) => other.mono - one.mono);
    for (const [id] of gone.slice(MOST_DOORS)) this.known.delete(id);
  }
}
