import type { DoorReport } from '../../../shared/door-report';

/**
 * What doors report of themselves. Each writes its own; nothing of it is signed, and none of it is needed: a door writes it again.
 *
 * - A reader gets at most `MOST_DOORS` reports of at most `MOST_REPORT_BYTES`, whatever is there.
 * - Every method rejects if the store cannot be reached.
 */
export interface DoorStore {
  /** Replaces what this door reported before. */
  write(report: DoorReport): Promise<void>;
  /** The door has ended, or is not heard of any more. */
  remove(id: string): Promise<void>;
  /** All reports that can be read. */
  read(): Promise<DoorReport[]>;
}
