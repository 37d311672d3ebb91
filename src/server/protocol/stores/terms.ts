/**
 * Terms of leading Supervisors: each change of the leader has a greater one (supervisor/control/leader.ts). All that a leader
 * writes is written under its term. The store keeps the newest that it has seen, and refuses what an older one writes, so that a leader that
 * was frozen cannot write beside its successor. Lost content loses it, too: the next write brings it back.
 */
export class StaleTerm extends Error {
  /** @param newest the term that the store has seen */
  constructor(readonly newest: number) {
    super('Another Supervisor leads by now, the store says.');
  }
}
