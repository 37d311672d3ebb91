import { z } from 'zod';
import { jsonText } from '../../shared/json-text';

const numbers = z.array(z.number());
const sample = z.object({
  /** By uid: requests, answers of 400 to 499, of 500 to 599, bytes sent. */
  apps: z.record(z.string(), numbers),
  /** By name: answers by their first digit from 1 to 5, requests without one, refused connections. */
  environments: z.record(z.string(), numbers),
  /** All requests, and those answered with 500 to 599. */
  door: numbers,
});

/** What one process of HAProxy has counted since its start. */
export type Sample = z.infer<typeof sample>;

export const NO_SAMPLE: Sample = { apps: {}, environments: {}, door: [0, 0] };

const stored = jsonText(
  z.object({ start: z.string(), seq: z.number().int(), ended: sample, running: z.record(z.string(), sample) }),
);

/**
 * What all processes of HAProxy have counted, those that have ended, too: they count anew after each reload, and a feeder that is started
 * again goes on where the last one was.
 */
export class Totals {
  private constructor(
    /** Another one whenever the counts begin anew. */
    readonly start: string,
    /** Of the last report. */
    public seq: number,
    private ended: Sample,
    /** By process. */
    private readonly running: Map<string, Sample>,
  ) {}

  /** @param text as `text` gave it; anything else begins anew */
  static from(text: string | null, newStart: () => string): Totals {
    const { data } = stored.safeParse(text);
    if (!data) return new Totals(newStart(), 0, NO_SAMPLE, new Map());
    return new Totals(data.start, data.seq, data.ended, new Map(Object.entries(data.running)));
  }

  /** @param process identifies it among all that ever were */
  note(process: string, now: Sample): void {
    const before = this.running.get(process) ?? NO_SAMPLE;
    // A count that fell lost an entry of several: the difference is kept. What was counted anew since the last sample is lost.
    const forgotten = Object.entries(before.apps).map(([uid, was]) => [uid, lostOf(was, now.apps[uid])] as const);
    const isLoss = ([, counts]: readonly [string, number[]]) => counts.some((count) => count > 0);
    this.ended = sum(this.ended, { ...NO_SAMPLE, apps: Object.fromEntries(forgotten.filter(isLoss)) });
    this.running.set(process, now);
  }

  /** All other processes have ended. */
  keep(processes: ReadonlySet<string>): void {
    for (const [process, last] of this.running) {
      if (processes.has(process)) continue;
      this.ended = sum(this.ended, last);
      this.running.delete(process);
    }
  }

  /** @param apps uids of those that there are */
  of(apps: { has(uid: string): boolean }): Sample {
    this.ended = { ...this.ended, apps: only(this.ended.apps, apps) };
    const all = [...this.running.values()].reduce(sum, this.ended);
    return { ...all, apps: only(all.apps, apps) };
  }

  get text(): string {
    return JSON.stringify({
      start: this.start,
      seq: this.seq,
      ended: this.ended,
      running: Object.fromEntries(this.running),
    });
  }
}

const lostOf = (was: number[], is: number[] = []): number[] => was.map((count, i) => Math.max(0, count - (is[i] ?? 0)));

const only = (counts: Sample['apps'], apps: { has(uid: string): boolean }): Sample['apps'] =>
  Object.fromEntries(Object.entries(counts).filter(([uid]) => apps.has(uid)));

/** One by one; what is not there is 0. */
export const added = (one: number[] = [], other: number[] = []): number[] =>
  Array.from({ length: Math.max(one.length, other.length) }, (_, i) => (one[i] ?? 0) + (other[i] ?? 0));

function merged(one: Record<string, number[]>, other: Record<string, number[]>): Record<string, number[]> {
  const result = { ...one };
  for (const [key, counts] of Object.entries(other)) result[key] = added(result[key], counts);
  return result;
}

function sum(one: Sample, other: Sample): Sample {
  return {
    apps: merged(one.apps, other.apps),
    environments: merged(one.environments, other.environments),
    door: added(one.door, other.door),
  };
}
