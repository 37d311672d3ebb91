import { randomUUID } from 'node:crypto';
import type Redis from 'ioredis';
import { z } from 'zod';
import { type Message, say } from '../../shared/message';
import {
  appRecord,
  type Lease,
  lease,
  type ManifestItem,
  manifestItem,
  registration,
  type StatusEntry,
  statusEntry,
} from '../../shared/messages';
import type { Log } from '../log';
import { createRedis, open } from './connect';
import type { Keys } from './keys';
import claimLease from './scripts/claimLease-6.lua';
import publish from './scripts/publish-1.lua';
import releaseLease from './scripts/releaseLease-3.lua';
import writeAppIndex from './scripts/writeAppIndex-3.lua';
import writeManifests from './scripts/writeManifests-2.lua';
import writeStatuses from './scripts/writeStatuses-3.lua';
import {
  type AppIndexRead,
  type AppIndexWrite,
  type FleetSight,
  type LeaseAnswer,
  type LeaseClaim,
  manifestField,
  type RecordsRead,
  type StateStore,
  type StatusMark,
  type StatusWrite,
} from './stores';

/** Field among an environment's records, the name of no app: so that it is lost whenever they are. */
const VERSION = ':version';

/** Of the directory. Who has missed more reads all of it. */
const KEPT_CHANGES = 200;
const appIndexChange = z.object({ version: z.string(), names: z.array(z.string()) });

type Scripted = Redis &
  Record<
    'claimLease' | 'publishRecords' | 'releaseLease' | 'writeAppIndex' | 'writeManifests' | 'writeStatuses',
    (...args: unknown[]) => Promise<any>
  >;

const NO_CHANGE = { complete: false, entries: new Map<string, unknown>(), gone: [] };

/** `StateStore` on `APP_SUPERVISOR_REDIS_URL`. */
export class RedisState implements StateStore {
  private readonly redis: Scripted;
  /** By environment, what its last statuses were by their texts: most are the same the next time. */
  private readonly parsed = new Map<string, Map<string, StatusEntry>>();
  /** By environment, its last lease by its text: it changes with every beat, and is looked at more often. */
  private readonly leases = new Map<string, { text: string; lease: Lease | null }>();

  constructor(
    url: string,
    private readonly keys: Keys,
    private readonly log: Log,
  ) {
    this.redis = createRedis(url, log, 'state') as Scripted;
    this.redis.defineCommand('claimLease', { numberOfKeys: 6, lua: claimLease });
    this.redis.defineCommand('releaseLease', { numberOfKeys: 3, lua: releaseLease });
    this.redis.defineCommand('writeStatuses', { numberOfKeys: 3, lua: writeStatuses });
    this.redis.defineCommand('writeAppIndex', { numberOfKeys: 3, lua: writeAppIndex });
    this.redis.defineCommand('writeManifests', { numberOfKeys: 2, lua: writeManifests });
    this.redis.defineCommand('publishRecords', { numberOfKeys: 1, lua: publish });
  }

  open(): void {
    open(this.redis);
  }

  async publish(environment: string, records: Parameters<StateStore['publish']>[1]): Promise<void> {
    // 500 a call: a script's arguments are limited, and a long one blocks everybody.
    for (let i = 0; i < records.length; i += 500) {
      const slice = records.slice(i, i + 500);
      const args = slice.flatMap((record) => [record.name, record.generation, JSON.stringify(record)]);
      await this.redis.publishRecords(this.keys.records(environment), VERSION, randomUUID(), ...args);
    }
  }

  async unpublish(environment: string, names: string[]): Promise<void> {
    if (!names.length) return;
    const key = this.keys.records(environment);
    await this.redis
      .multi()
      .hdel(key, ...names)
      .hset(key, VERSION, randomUUID())
      .exec();
  }

  async readRecords(environment: string, names?: string[]) {
    if (!names) return (await this.readAllRecords(environment)).records;
    const key = this.keys.records(environment);
    return names.length ? this.parseAll(await this.redis.hmget(key, ...names), appRecord, key) : [];
  }

  async readRecordsSince(environment: string, version: string | null): Promise<RecordsRead | null> {
    const current = version && (await this.redis.hget(this.keys.records(environment), VERSION));
    return current && current === version ? null : this.readAllRecords(environment);
  }

  async poll(): Promise<FleetSight> {
    const names = await this.redis.smembers(this.keys.environments());
    const [fleet, ...rest] = await this.redis.mget(
      this.keys.fleet(),
      ...names.flatMap((name) => [this.keys.lease(name), this.keys.version(name), this.keys.standby(name)]),
    );
    const environments: FleetSight['environments'] = new Map();
    names.forEach((name, i) => {
      const [held, version, standby] = rest.slice(3 * i, 3 * i + 3);
      environments.set(name, {
        lease: held === null || held === undefined ? null : this.leaseOf(name, held),
        statusVersion: Number(version ?? 0),
        standby,
      });
    });
    return { fleet, environments };
  }

  async leasesLeft(environments: string[]): Promise<Map<string, number>> {
    const left = await Promise.all(environments.map((name) => this.redis.pttl(this.keys.lease(name))));
    return new Map(environments.map((name, index) => [name, Math.max(left[index], 0)]));
  }

  private leaseOf(environment: string, text: string): Lease | null {
    const before = this.leases.get(environment);
    if (before?.text === text) return before.lease;
    const parsed = this.parse(text, lease, this.keys.lease(environment));
    this.leases.set(environment, { text, lease: parsed });
    return parsed;
  }

  async readRegistration(environment: string) {
    const key = this.keys.registration(environment);
    return this.parse(await this.redis.get(key), registration, key);
  }

  async readStatuses(environment: string) {
    const key = this.keys.statuses(environment);
    const before = this.parsed.get(environment);
    const now = new Map<string, StatusEntry>();
    for (const text of await this.redis.hvals(key)) {
      const entry = before?.get(text) ?? this.parse(text, statusEntry, key);
      if (entry) now.set(text, entry);
    }
    this.parsed.set(environment, now);
    return [...now.values()];
  }

  async forget(environment: string): Promise<void> {
    const { keys } = this;
    this.parsed.delete(environment);
    this.leases.delete(environment);
    await this.redis
      .multi()
      .srem(keys.environments(), environment)
      .del(
        ...[keys.registration, keys.lease, keys.holder, keys.records, keys.statuses, keys.version, keys.standby].map(
          (key) => key(environment),
        ),
      )
      .exec();
  }

  async claimFleet(id: string): Promise<string> {
    await this.redis.setnx(this.keys.fleet(), id);
    return (await this.redis.get(this.keys.fleet())) ?? id;
  }

  async claimLease(claim: LeaseClaim): Promise<LeaseAnswer> {
    const { keys } = this;
    const [result, epoch, instance] = await this.redis.claimLease(
      keys.lease(claim.environment),
      keys.holder(claim.environment),
      keys.environments(),
      keys.standby(claim.environment),
      keys.statuses(claim.environment),
      keys.version(claim.environment),
      claim.environment,
      JSON.stringify(claim.lease),
      claim.ttl,
      claim.mayTake ? '1' : '0',
      claim.provenBy ?? '',
    );
    if (result === 'nobody') return { held: false, holder: null };
    if (result === 'other') return { held: false, holder: { instance, epoch: Number(epoch) } };
    return { held: true, epoch: Number(epoch), fresh: result === 'taken' };
  }

  async releaseLease(environment: string, instance: string, epoch: number): Promise<void> {
    const { keys } = this;
    await this.redis.releaseLease(
      keys.lease(environment),
      keys.statuses(environment),
      keys.version(environment),
      instance,
      epoch,
    );
  }

  async writeRegistration(value: Parameters<StateStore['writeRegistration']>[0]): Promise<void> {
    await this.redis.set(this.keys.registration(value.name), JSON.stringify(value));
  }

  async writeStatuses(write: StatusWrite): Promise<boolean> {
    const { keys } = this;
    const written = await this.redis.writeStatuses(
      keys.lease(write.environment),
      keys.statuses(write.environment),
      keys.version(write.environment),
      write.instance,
      write.epoch,
      write.version,
      write.complete ? '1' : '0',
      JSON.stringify(write.removed),
      ...write.entries.flatMap((entry) => [entry.name, JSON.stringify(entry)]),
    );
    return written === 1;
  }

  async statusMark(environment: string): Promise<StatusMark> {
    const [version, count] = await Promise.all([
      this.redis.get(this.keys.version(environment)),
      this.redis.hlen(this.keys.statuses(environment)),
    ]);
    return { version: Number(version ?? 0), count };
  }

  async writeManifests(items: ManifestItem[]): Promise<void> {
    const { keys } = this;
    for (let i = 0; i < items.length; i += 500) {
      const args = items.slice(i, i + 500).flatMap((item) => [manifestField(item), item.at, JSON.stringify(item)]);
      await this.redis.writeManifests(keys.manifests(), keys.manifestsVersion(), randomUUID(), ...args);
    }
  }

  async forgetManifests(uids: string[]): Promise<void> {
    const { keys } = this;
    const gone = (await this.readItems()).filter(({ uid }) => uids.includes(uid));
    if (!gone.length) return;
    await this.redis
      .multi()
      .hdel(keys.manifests(), ...gone.map(manifestField))
      .set(keys.manifestsVersion(), randomUUID())
      .exec();
  }

  async readManifests(version: string) {
    const current = (await this.redis.get(this.keys.manifestsVersion())) ?? '';
    return current === version ? null : { version: current, items: await this.readItems() };
  }

  async writeAppIndex({ from, version, entries, gone, supervisor }: AppIndexWrite): Promise<boolean> {
    const { appIndex, directoryChanges } = this.keys;
    const texts = [...entries];
    // 500 a call: a script's arguments are limited, and a long one blocks everybody. Without a change nobody reads.
    if (from === null) await this.redis.del(appIndex(), directoryChanges());
    while (texts.length > 500) await this.redis.hset(appIndex(), new Map(texts.splice(0, 500)));
    const names = from === null ? [] : [...gone, ...entries.keys()];
    const written = await this.redis.writeAppIndex(
      appIndex(),
      directoryChanges(),
      this.keys.supervisor(),
      from ?? '',
      JSON.stringify({ version, names } satisfies z.infer<typeof appIndexChange>),
      supervisor,
      KEPT_CHANGES,
      gone.length,
      ...gone,
      ...texts.flat(),
    );
    return written === 1;
  }

  async readAppIndex(version: string): Promise<AppIndexRead | null> {
    const [last, supervisor] = await Promise.all([
      this.redis.lindex(this.keys.directoryChanges(), -1),
      this.redis.get(this.keys.supervisor()),
    ]);
    const current = this.parse(last, appIndexChange, this.keys.directoryChanges());
    if (!current) return null;
    const found = current.version === version ? { version, ...NO_CHANGE } : await this.readAppIndexChanges(version);
    return found && { ...found, supervisor: this.parse(supervisor, z.unknown(), this.keys.supervisor()) };
  }

  /** Both in one transaction: while changes are there, the directory is whole. */
  private async readAppIndexChanges(version: string): Promise<Omit<AppIndexRead, 'supervisor'> | null> {
    const { appIndex, directoryChanges } = this.keys;
    const changes = this.parseAll(
      await this.redis.lrange(directoryChanges(), 0, -1),
      appIndexChange,
      directoryChanges(),
    );
    const seen = changes.findLastIndex((change) => change.version === version);
    const names = [...new Set(changes.slice(seen + 1).flatMap((change) => change.names))];
    const complete = seen < 0;
    if (!complete && !names.length) return { version: changes[changes.length - 1].version, ...NO_CHANGE };
    const work = this.redis.multi().lindex(directoryChanges(), -1);
    const answers = await (complete ? work.hgetall(appIndex()) : work.hmget(appIndex(), ...names)).exec();
    const [[, last], [, values]] = answers as [[unknown, string | null], [unknown, any]];
    const current = this.parse(last, appIndexChange, directoryChanges());
    if (!current) return null;
    const texts: Array<[string, string | null]> = complete
      ? Object.entries(values)
      : names.map((name, i) => [name, values[i]]);
    const entries = new Map<string, unknown>();
    const gone: string[] = [];
    for (const [name, text] of texts) {
      if (text === null) gone.push(name);
      else entries.set(name, this.parse(text, z.unknown(), appIndex()));
    }
    // Not the version of a later change: what that one names was not asked for.
    const read = complete ? current : changes[changes.length - 1];
    return { version: read.version, complete, entries, gone };
  }

  async warnings(): Promise<Message[]> {
    const info = await this.redis.info();
    const value = (name: string) => info.match(new RegExp(`^${name}:(.*)$`, 'm'))?.[1].trim();
    const found: Message[] = [];
    const policy = value('maxmemory_policy');
    if (policy && policy !== 'noeviction') {
      found.push(say('REDIS_EVICTS', { policy }));
    }
    // INFO does not tell whether snapshots are taken; a server that others run may refuse to.
    const [, saves] = ((await this.redis.config('GET', 'save').catch(() => [])) as string[]) ?? [];
    if (value('aof_enabled') === '0' && saves === '') {
      found.push(say('REDIS_KEEPS_NOTHING'));
    }
    return found;
  }

  async close(): Promise<void> {
    this.redis.disconnect();
  }

  private async readAllRecords(environment: string): Promise<RecordsRead> {
    const key = this.keys.records(environment);
    const { [VERSION]: version = null, ...values } = await this.redis.hgetall(key);
    return { version, records: this.parseAll(Object.values(values), appRecord, key) };
  }

  private async readItems(): Promise<ManifestItem[]> {
    const key = this.keys.manifests();
    return this.parseAll(await this.redis.hvals(key), manifestItem, key);
  }

  private parseAll<T>(values: Array<string | null>, schema: z.ZodType<T>, key: string): T[] {
    return values.map((value) => this.parse(value, schema, key)).filter((value) => value !== null);
  }

  private parse<T>(value: string | null | undefined, schema: z.ZodType<T>, key: string): T | null {
    if (value === null || value === undefined) return null;
    try {
      return schema.parse(JSON.parse(value));
    } catch (error) {
      this.log.warn(`Redis key ${key} holds something that is not ours; it is ignored.`, {
        problem: String(error).slice(0, 300),
      });
      return null;
    }
  }
}
