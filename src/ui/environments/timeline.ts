import type { EventRow, OperationRow } from '../../shared/types';

export interface Bar {
  id: string;
  kind: 'outage' | 'failure' | 'operation';
  /** In percent of the whole. */
  left: number;
  width: number;
  event?: EventRow;
  operation?: OperationRow;
}

/** Narrower bars could not be seen or hit, in percent. */
const NARROWEST = 0.4;

/**
 * The bars of one environment, outages last, so that they lie above.
 * @param now ms since 1970; the right edge
 */
export function barsOf(
  environment: string,
  events: readonly EventRow[],
  operations: readonly OperationRow[],
  span: number,
  now: number,
): Bar[] {
  const bar = (id: string, kind: Bar['kind'], from: number, to: number | null): Bar[] => {
    const [begin, end] = [Math.max(from, now - span), Math.min(to ?? now, now)];
    if (end < begin) return [];
    const width = Math.max(NARROWEST, ((end - begin) / span) * 100);
    return [{ id, kind, left: Math.min(100 - width, ((begin - now + span) / span) * 100), width }];
  };
  const isHere = ({ progress }: OperationRow) => progress.some((item) => item.environment === environment);
  return [
    ...operations.filter(isHere).flatMap((operation) =>
      bar(operation.id, 'operation', operation.createdAt, operation.finishedAt).map((each) => ({
        ...each,
        operation,
      })),
    ),
    ...events
      .filter((event) => event.environment === environment)
      .flatMap((event) =>
        bar(event.id, event.kind === 'health' ? 'outage' : 'failure', event.at, event.endedAt).map((each) => ({
          ...each,
          event,
        })),
      ),
  ];
}
