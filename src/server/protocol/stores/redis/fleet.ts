import { type Registration, registration } from '../../../../shared/messages';
import forgetEnvironment from '../../scripts/forgetEnvironment-8.lua';
import { COUNT, NO_COUNT } from '../counts';
import { type EnvironmentObservation, type FleetObservation, type FleetStore, foreignTo } from '../fleet';
import { waiting } from '../leases';
import type { Script, StoreConnection } from './connection';
import { openLease } from './leases';
import { recordsMark } from './records';

/** A lease as it was read: with its text, which is not checked again while it is the same. */
interface ReadLease extends Pick<EnvironmentObservation, 'lease' | 'doubt'> {
  text: string;
}

/** `FleetStore` over the keys of all other stores. */
export class RedisFleet implements FleetStore {
  /**
   * By environment, the lease that the last poll found, with its text. The text changes with every heartbeat, but is
   * polled more often.
   */
  private leases = new Map<string, ReadLease>();
  /** The environments that the last poll found. */
  private names: string[] = [];
  /** The connection of the last poll. */
  private stream: unknown = null;
  private readonly forgetEnvironment: Script;

  constructor(
    private readonly connection: StoreConnection,
    private readonly onForget: (environment: string) => void,
  ) {
    this.forgetEnvironment = connection.script('forgetEnvironment', 8, forgetEnvironment);
  }

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
      const [text, version, waits] = rest.slice(3 * i, 3 * i + 3);
      const last = before.get(name);
      const read = text === null ? null : last?.text === text ? last : this.openLease(name, text);
      if (read) this.leases.set(name, read);
      const standby = this.connection.open(name, keys.standby(name), waits, waiting)?.value;
      environments.set(name, {
        lease: read?.lease ?? null,
        ...(read?.doubt ? { doubt: read.doubt } : {}),
        statusVersion: Number(version ?? 0),
        standby: standby?.instance ?? null,
        ...foreignTo(read?.lease ?? null, standby?.place),
      });
    });
    const isNew = stream !== this.stream;
    this.stream = stream;
    return { fleet, isNew, environments };
  }

  async nameFleet(id: string): Promise<string> {
    const { redis, keys } = this.connection;
    await redis.setnx(keys.fleet(), id);
    return (await redis.get(keys.fleet())) ?? id;
  }

  async readRegistration(environment: string): Promise<Registration | null> {
    const { connection } = this;
    const key = connection.keys.registration(environment);
    const read = connection.open(environment, key, await connection.redis.get(key), registration);
    if (!read) return null;
    const epoch = connection.newest.get(environment)?.epoch ?? read.order;
    if (read.order === epoch && read.value.name === environment) return read.value;
    // A newer one is of a holder that nobody polled yet.
    if (read.order <= epoch) connection.envelope.refusals.note(key, 'replayed');
    return null;
  }

  async forget(environment: string, floor: number, term: number): Promise<boolean> {
    const { connection } = this;
    const { keys } = connection;
    const { registration, lease, statuses, version, standby } = keys;
    const gone = [registration, lease, statuses, version, standby].map((key) => key(environment));
    const mark = recordsMark(connection, environment, { count: { ...NO_COUNT, term }, floor });
    const places = [keys.records(environment), keys.term(), keys.environments(), ...gone];
    const args = [environment, COUNT, floor, mark];
    if (!(await connection.underTerm(term, this.forgetEnvironment, places, args))) return false;
    connection.envelope.keyring.raise(environment, floor);
    this.onForget(environment);
    connection.newest.delete(environment);
    return true;
  }

  /** The fleet's id; of each environment its lease, the version of its statuses, and its standby. */
  private read(names: string[]): Promise<Array<string | null>> {
    const { redis, keys } = this.connection;
    return redis.mget(
      keys.fleet(),
      ...names.flatMap((name) => [keys.lease(name), keys.version(name), keys.standby(name)]),
    );
  }

  private openLease(environment: string, text: string): ReadLease {
    const { connection } = this;
    const found = openLease(connection, environment, text);
    const last = connection.newest.get(environment);
    const isOld = typeof found !== 'string' && last && (found.epoch - last.epoch || found.beat - last.beat) < 0;
    if (typeof found !== 'string' && !isOld) {
      connection.newest.set(environment, found);
      return { text, lease: found };
    }
    const doubt = typeof found === 'string' ? found : 'replayed';
    connection.envelope.note(environment, connection.keys.lease(environment), doubt);
    return { text, lease: null, doubt };
  }
}
