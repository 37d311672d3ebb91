import { type DoorReport, doorReport, MOST_DOORS, MOST_REPORT_BYTES } from '../../../../shared/door-report';
import type { DoorStore } from '../doors';
import { placeOf, type Script, type StoreConnection } from './connection';

/** `DoorStore` in a hash. */
export class RedisDoors implements DoorStore {
  /** @param readSome null in a process that does not read them */
  constructor(
    private readonly connection: StoreConnection,
    private readonly readSome: Script | null,
  ) {}

  async write(report: DoorReport): Promise<void> {
    const { redis, keys } = this.connection;
    await redis.hset(keys.doors(), report.id, JSON.stringify(report));
  }

  async remove(id: string): Promise<void> {
    const { redis, keys } = this.connection;
    await redis.hdel(keys.doors(), id);
  }

  async read(): Promise<DoorReport[]> {
    const { keys, envelope } = this.connection;
    const key = keys.doors();
    const found: string[] = this.readSome ? await this.readSome([key], [MOST_DOORS, MOST_REPORT_BYTES]) : [];
    const reports: DoorReport[] = [];
    for (let i = 0; i < found.length; i += 2) {
      const report = envelope.parse(placeOf(key, 'report'), found[i + 1], doorReport);
      if (report?.id === found[i]) reports.push(report);
    }
    return reports;
  }
}
