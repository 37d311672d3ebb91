import { StaleTerm } from '../terms';

/** The newest term that has written, for all stores of one process. */
export class MemoryTerm {
  private newest = 0;

  /** @throws StaleTerm where a newer term has written */
  check(term: number): void {
    if (term < this.newest) throw new StaleTerm(this.newest);
    this.newest = term;
  }
}
