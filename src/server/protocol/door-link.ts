import type { Clock } from '../clock';
import type { Feed } from '../feed';
import type { Log } from '../log';
import { Envelope } from './envelope';
import { Keyring } from './keyring';
import { entriesOf, type KeptRoutes, RoutesReader } from './published-routes';
import { Keys } from './redis-keys';
import { Refusals } from './refusals';
import { COUNT } from './stores/counts';
import type { DoorStore } from './stores/doors';
import { StoreConnection } from './stores/redis/connection';
import { RedisDoors } from './stores/redis/doors';
import { RedisPublished } from './stores/redis/published';

export interface DoorLinkOptions {
  /** `APP_SUPERVISOR_REDIS_URL` with the door's own user: a URL or Sentinels. */
  address: string;
  /** `APP_SUPERVISOR_KEY_PREFIX`. */
  prefix: string;
  /** Of the Supervisor, as `publicKeyOf` writes it: the only key that a door has. */
  publicKey: string;
  /** The table on its disk; null: there is none. */
  kept: KeptRoutes | null;
  log: Log;
  clock: Clock;
}

/**
 * A door's way to the fleet: it reads the routes, and writes its report. A change of the routes is found by asking for their count a few
 * times a second, which costs one small command: nothing has to arrive for it.
 */
export class DoorLink {
  readonly routes: RoutesReader;
  readonly reports: Pick<DoorStore, 'write' | 'remove'>;
  /** Redis can be used: at first, and again after it could not. */
  readonly returns: Feed<void>;
  private readonly connection: StoreConnection;

  /** @throws if the public key is none */
  constructor({ address, prefix, publicKey, kept, log, clock }: DoorLinkOptions) {
    const keyring = new Keyring({ atRest: null, fleetKey: null, environment: null });
    keyring.learn(publicKey);
    if (keyring.publicKey !== publicKey) throw new Error('This is no public key of a Supervisor.');
    const keys = new Keys(prefix);
    // It may write nothing by which to find out whether the server takes changes.
    const probe = () => this.connection.redis.hget(keys.routes(), COUNT).then(() => undefined);
    this.connection = new StoreConnection(
      address,
      keys,
      new Envelope(keyring, new Refusals(log, clock)),
      log,
      clock,
      probe,
    );
    this.returns = this.connection.connection.returns;
    const published = new RedisPublished(this.connection, null, clock, keys.routes());
    if (kept?.at.size) published.begin(kept.count, entriesOf(kept));
    this.routes = new RoutesReader(published, kept?.count ?? null);
    this.reports = new RedisDoors(this.connection, null);
  }

  /** Begins to connect without waiting: until then every method rejects. */
  open(): void {
    this.connection.connection.open();
  }

  close(): void {
    this.connection.connection.close();
  }
}
