import { type Lease, lease, type Registration, registration } from '../../../../shared/messages';
import type { Random } from '../../../random';
import type { FleetObservation, FleetStore } from '../fleet';
import type { StoreConnection } from './connection';
import { INCARNATION, VERSION } from './records';

/** `FleetStore` over the keys of all other stores. */
export class RedisFleet implements FleetStore {
  /**
   * By environment, the lease that the last poll found, with its text. The text changes with every heartbeat, but is
   * polled more often.
   */
  private leases = new Map<string, { text: string; lease: Lease | null }>();
  /** The environments that the last poll found. */
  private names: string[] = [];
  /** The connection of the last poll. */
  private stream: unknown = null;

  constructor(
    private readonly connection: StoreConnection,
    private readonly random: Random,
    private readonly onForget: (environment: string) => void,
  ) {}

  async poll(): Promise<FleetObservation> {
    const { redis, keys } = this.connection;
    const { stream } = redis;
    // At once, for a server that is far away: most polls find the environments of the last one.
    const guessed = this.names;
    const [names, values] = await Promise.all([
      redis.smembers(keys.environments()),
      this.read(guessed),
      this.connection.write(),
    ]);
    this.names = names;
    const isGuessed = names.length === guessed.length && names.every((name, i) => name === guessed[i]);
    const [fleet, ...rest] = isGuessed ? values : await this.read(names);
    const before = this.leases;
    this.leases = new Map();
    const environments: FleetObservation['environments'] = new Map();
    names.forEach((name, i) => {
      const [text, version, standby] = rest.slice(3 * i, 3 * i + 3);
      environments.set(name, {
        lease: text === null ? null : this.leaseOf(name, text, before.get(name)),
        statusVersion: Number(version ?? 0),
        standby,
      });
    });
    const isNew = stream !== this.stream;
    this.stream = stream;
    return { fleet, isNew, environments };
  }

  async claim(id: string): Promise<string> {
    const { redis, keys } = this.connection;
    await redis.setnx(keys.fleet(), id);
    return (await redis.get(keys.fleet())) ?? id;
  }

  async readRegistration(environment: string): Promise<Registration | null> {
    const { connection } = this;
    const key = connection.keys.registration(environment);
    return connection.parse(await connection.redis.get(key), registration, key);
  }

  async writeRegistration(value: Registration): Promise<void> {
    const { redis, keys } = this.connection;
    await redis.set(keys.registration(value.name), JSON.stringify(value));
  }

  async forget(environment: string, incarnation: number): Promise<void> {
    const { redis, keys } = this.connection;
    this.onForget(environment);
    const { registration, lease, holder, records, statuses, version, standby } = keys;
    const gone = [registration, lease, holder, records, statuses, version, standby].map((key) => key(environment));
    await redis
      .multi()
      .srem(keys.environments(), environment)
      .del(...gone)
      .hset(records(environment), { [VERSION]: this.random.id(), [INCARNATION]: incarnation })
      .exec();
  }

  /** The fleet's id; of each environment its lease, the version of its statuses, and its standby. */
  private read(names: string[]): Promise<Array<string | null>> {
    const { redis, keys } = this.connection;
    return redis.mget(
      keys.fleet(),
      ...names.flatMap((name) => [keys.lease(name), keys.version(name), keys.standby(name)]),
    );
  }

  private leaseOf(environment: string, text: string, before: { text: string; lease: Lease | null } | undefined) {
    const { connection } = this;
    const parsed =
      before?.text === text ? before.lease : connection.parse(text, lease, connection.keys.lease(environment));
    this.leases.set(environment, { text, lease: parsed });
    return parsed;
  }
}
