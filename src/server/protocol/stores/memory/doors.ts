import { type DoorReport, MOST_DOORS } from '../../../../shared/door-report';
import type { DoorStore } from '../doors';

/** `DoorStore` of one process. */
export class MemoryDoors implements DoorStore {
  private readonly reports = new Map<string, DoorReport>();

  async write(report: DoorReport): Promise<void> {
    this.reports.set(report.id, structuredClone(report));
  }

  async remove(id: string): Promise<void> {
    this.reports.delete(id);
  }

  async read(): Promise<DoorReport[]> {
    return structuredClone([...this.reports.values()].slice(0, MOST_DOORS));
  }
}
