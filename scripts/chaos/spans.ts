import type { History, Life } from './history';

/** One boot of an app in one process, and how long it ran. */
export interface Span {
  app: string;
  environment: string;
  life: Life;
  from: number;
  /** When the boot ended, with any result. */
  booted: number;
  /** When it ran; null if it never did. */
  ran: { from: number; to: number } | null;
  /** When nothing was left of it, or it was requested to end. */
  over: number;
}

/** The spans of all boots of a history. */
export function spansOf({ processes }: History): Span[] {
  return processes.flatMap((life) =>
    life.boots.map(({ app, addedAt, runningAt, leavingAt, goneAt }): Span => {
      const death = life.endedAt ?? Number.POSITIVE_INFINITY;
      const over = Math.min(leavingAt ?? Number.POSITIVE_INFINITY, goneAt ?? Number.POSITIVE_INFINITY, death);
      return {
        app,
        environment: life.part,
        life,
        from: addedAt,
        booted: Math.min(runningAt ?? Number.POSITIVE_INFINITY, goneAt ?? Number.POSITIVE_INFINITY, death),
        ran: runningAt === null ? null : { from: runningAt, to: over },
        over,
      };
    }),
  );
}

/**
 * Boots that lost their lock during the boot, and with it the right to be the only one; others hold it until they run.
 */
export function unlockedOf({ harms }: History, spans: Span[]): Set<Span> {
  const unlocked = new Set<Span>();
  for (const { from: cutAt, to, locks = [] } of harms) {
    for (const { app, environment } of locks) {
      // The lock is taken before the app's object exists: then it belongs to the next one.
      const [cut] = spans
        .filter((span) => span.app === app && span.environment === environment)
        .filter(({ life, over }) => life.begunAt <= to && over >= cutAt)
        .sort((a, b) => a.from - b.from);
      if (cut) unlocked.add(cut);
    }
  }
  return unlocked;
}

/** Whether an app ran in an environment at that moment. */
export const runsAt = (spans: Span[], app: string, environment: string, at: number): boolean =>
  spans.some(
    ({ app: name, environment: where, ran }) =>
      name === app && where === environment && ran && ran.from <= at && at < ran.to,
  );
