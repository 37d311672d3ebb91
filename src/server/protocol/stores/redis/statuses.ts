import { z } from 'zod';
import { type StatusEntry, statusEntry } from '../../../../shared/messages';
import writeStatuses from '../../scripts/writeStatuses-3.lua';
import type { StatusMark, StatusStore, StatusWrite } from '../statuses';
import { placeOf, type Script, type StoreConnection } from './connection';

/** A status as it is signed, for one holder; its order is the version of the write. */
const signedStatus = z.object({ epoch: z.number(), entry: statusEntry });

/** A status that was believed. */
interface Believed {
  text: string;
  epoch: number;
  version: number;
  entry: StatusEntry;
}

/** `StatusStore` in a hash for each environment, written by a script that checks the lease. */
export class RedisStatuses implements StatusStore {
  private readonly writeStatuses: Script;
  /** By environment and app, the last statuses: most are unchanged at the next read, and none may be older. */
  private readonly believed = new Map<string, Map<string, Believed>>();

  constructor(private readonly connection: StoreConnection) {
    this.writeStatuses = connection.script('writeStatuses', 3, writeStatuses);
  }

  async write(write: StatusWrite): Promise<boolean> {
    const { keys } = this.connection;
    const written = await this.writeStatuses(
      keys.lease(write.environment),
      keys.statuses(write.environment),
      keys.version(write.environment),
      write.instance,
      write.epoch,
      write.version,
      write.from ?? '',
      JSON.stringify(write.removed),
      write.entries.flatMap((entry) => [entry.name, this.signed(write, entry)]),
    );
    return written === 1;
  }

  async read(environment: string): Promise<StatusEntry[]> {
    const { redis, keys, newest } = this.connection;
    const texts = await redis.hgetall(keys.statuses(environment));
    const epoch = newest.get(environment)?.epoch;
    const before = this.believed.get(environment) ?? new Map<string, Believed>();
    const known = new Map([...before].filter(([, status]) => epoch === undefined || status.epoch === epoch));
    this.believed.set(environment, known);
    return Object.entries(texts).flatMap(([name, text]) => this.readOne(environment, name, text, known)?.entry ?? []);
  }

  /** A status that is not believed leaves what is known of the app as it is. */
  private readOne(environment: string, name: string, text: string, known: Map<string, Believed>): Believed | undefined {
    const last = known.get(name);
    if (last?.text === text) return last;
    const { connection } = this;
    const place = placeOf(connection.keys.statuses(environment), name);
    const read = connection.open(environment, place, text, signedStatus);
    if (!read) return last;
    const { epoch, entry } = read.value;
    const current = connection.newest.get(environment)?.epoch ?? epoch;
    // Of a holder that nobody polled yet.
    if (epoch > current) return last;
    if ((last && read.order < last.version) || epoch < current || entry.name !== name) {
      connection.envelope.refusals.note(place, 'replayed');
      return last;
    }
    const status = { text, epoch, version: read.order, entry };
    known.set(name, status);
    return status;
  }

  private signed({ environment, epoch, version }: StatusWrite, entry: StatusEntry): string {
    const place = placeOf(this.connection.keys.statuses(environment), entry.name);
    const status = { epoch, entry } satisfies z.infer<typeof signedStatus>;
    return this.connection.sign(environment, place, version, status);
  }

  async mark(environment: string): Promise<StatusMark> {
    const { redis, keys } = this.connection;
    const [version, count] = await Promise.all([
      redis.get(keys.version(environment)),
      redis.hlen(keys.statuses(environment)),
    ]);
    return { version: Number(version ?? 0), count };
  }

  /** Frees the memory of an environment. */
  forget(environment: string): void {
    this.believed.delete(environment);
  }
}
