import type { AppRecord } from '../../../shared/messages';

/**
 * Records: the desired state of each app in each environment. The Supervisor writes them, Workers read them.
 *
 * - Lost content costs nothing: the leading Supervisor writes all records again from its database when it detects the
 * loss. A Worker that finds no record keeps its state: a missing record is never an instruction.
 * - Each record is written as a whole. A call that writes many is not one transaction: when it rejects, some may be
 * written.
 * - Writes carry the term of the leading Supervisor. A write of an older term than the store has seen changes nothing and
 * rejects with `StaleTerm`.
 * - Every method rejects if the store cannot be reached; callers retry later.
 */
export interface RecordStore {
  /**
   * Writes the desired state of `environment`. A record with an older generation than the stored one of the same name
   * is ignored.
   * @param incarnation of the environment for which the writer publishes
   * @throws OtherIncarnation if another one was admitted, or none; then nothing was written
   */
  publish(environment: string, records: AppRecord[], term: number, incarnation: number): Promise<void>;
  /**
   * Writes which incarnation of the environment the records are for; an older one than the stored is ignored. A newer one
   * removes the records of the older. A Worker of an older incarnation starts empty, see `EnvironmentRegistry.forget` in
   * supervisor/fleet/registry.ts.
   */
  admit(environment: string, incarnation: number, term: number): Promise<void>;
  /** Removes records that are no longer needed: those of confirmed removals; and what was refused. */
  unpublish(environment: string, names: string[], term: number): Promise<void>;
  /** All records of `environment`, unordered. Records that do not parse are skipped. */
  read(environment: string): Promise<AppRecord[]>;
  /** Those of these names, at the same moment as the incarnation that they are for. */
  readNamed(environment: string, names: string[]): Promise<Pick<RecordsRead, 'incarnation' | 'records'>>;
  /** All records of `environment`; null while they still have the reader's version. */
  readSince(environment: string, version: string | null): Promise<RecordsRead | null>;
}

/** What was to be published is for another incarnation of its environment: that was forgotten, or the store has lost its content. */
export class OtherIncarnation extends Error {
  constructor(environment: string) {
    super(`Environment ${environment} was forgotten meanwhile, or the store lost its content.`);
  }
}

export interface RecordsRead {
  /** Changes with every change of a record, and is lost with the records; null for an environment that has none. */
  version: string | null;
  /** As last admitted or forgotten; null if the store has lost it, or never had it. */
  incarnation: number | null;
  records: AppRecord[];
  /** Names under which there is something else: not signed for this place, or not a record. Absent if there is nothing. */
  refused?: string[];
}
