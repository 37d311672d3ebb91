import { type Message, say } from '../../../../shared/message';
import type { Clock } from '../../../clock';
import type { Feed } from '../../../feed';
import type { Log } from '../../../log';
import type { Random } from '../../../random';
import type { RedisConnection } from '../../connect';
import type { Envelope } from '../../envelope';
import type { Keys } from '../../redis-keys';
import readDoorsLua from '../../scripts/readDoors-1.lua';
import writeHashLua from '../../scripts/writeHash-2.lua';
import type { Stores } from '..';
import { StoreConnection } from './connection';
import { RedisDoors } from './doors';
import { RedisFleet } from './fleet';
import { RedisLeases } from './leases';
import { RedisManifests } from './manifests';
import { RedisPublished } from './published';
import { RedisRecords } from './records';
import { RedisSso } from './sso';
import { RedisStatuses } from './statuses';

/** `Stores` on `APP_SUPERVISOR_REDIS_URL`, over one connection. */
export class RedisStores implements Stores {
  readonly records: RedisRecords;
  readonly leases: RedisLeases;
  readonly fleet: RedisFleet;
  readonly statuses: RedisStatuses;
  readonly appIndex: RedisPublished;
  readonly routes: RedisPublished;
  readonly doors: RedisDoors;
  readonly manifests: RedisManifests;
  readonly sso: RedisSso;
  readonly returns: Feed<void>;
  private readonly connection: StoreConnection;

  /** @param address a URL or Sentinels */
  constructor(address: string, keys: Keys, envelope: Envelope, log: Log, random: Random, clock: Clock) {
    const connection = new StoreConnection(address, keys, envelope, log, clock);
    this.returns = connection.connection.returns;
    this.connection = connection;
    const writeHash = connection.script('writeHash', 2, writeHashLua);
    this.records = new RedisRecords(connection, writeHash);
    this.leases = new RedisLeases(connection);
    this.statuses = new RedisStatuses(connection);
    this.fleet = new RedisFleet(connection, (environment) => this.statuses.forget(environment));
    this.appIndex = new RedisPublished(connection, writeHash, clock, keys.appIndex(), keys.formerIndex());
    this.routes = new RedisPublished(connection, writeHash, clock, keys.routes());
    this.doors = new RedisDoors(connection, connection.script('readDoors', 1, readDoorsLua));
    this.manifests = new RedisManifests(connection, random);
    this.sso = new RedisSso(connection, random);
  }

  /** The connection, for whoever publishes at the same address. */
  get shared(): RedisConnection {
    return this.connection.connection;
  }

  get sealed() {
    return this.records.sealed;
  }

  get ignored() {
    return this.connection.envelope.refusals.places;
  }

  open(): void {
    this.connection.connection.open();
  }

  async warnings(): Promise<Message[]> {
    const { redis, connection, envelope } = this.connection;
    if (connection.unusable === 'cluster') return [say('REDIS_CLUSTER')];
    const info = await redis.info();
    const value = (name: string) => info.match(new RegExp(`^${name}:(.*)$`, 'm'))?.[1].trim();
    const found: Message[] = envelope.refusals.warnings();
    const policy = value('maxmemory_policy');
    if (policy && policy !== 'noeviction') {
      found.push(say('REDIS_EVICTS', { policy }));
    }
    // INFO does not show whether snapshots are configured; a managed server may refuse CONFIG GET.
    const [, saves] = ((await redis.config('GET', 'save').catch(() => [])) as string[]) ?? [];
    if (value('aof_enabled') === '0' && saves === '') {
      found.push(say('REDIS_KEEPS_NOTHING'));
    }
    return found;
  }

  async close(): Promise<void> {
    this.connection.connection.close();
  }
}
