import { type Fleet, waitFor } from '../../scripts/fleet';
import { fingerprint } from '../../src/server/apps/secrets';
import type { Log } from '../../src/server/log';
import { Keys } from '../../src/server/wire/keys';
import { RedisState } from '../../src/server/wire/redis-state';
import type { Lease, Registration } from '../../src/shared/messages';
import { leaseOf, registrationOf } from './fixtures';

const SILENT: Log = { debug() {}, info() {}, warn() {}, error() {} };

/**
 * An environment without a process: what a worker would write of itself, written by a test. For what does not depend on a
 * worker's work, at a fraction of the time that a NocoBase takes.
 */
export class Ghost {
  private readonly state: RedisState;
  private held: Lease = leaseOf({ instance: 'ghost:1:1', interval: 60_000 });
  private registration: Registration;

  constructor(fleet: Fleet, name: string) {
    const env = fleet.supervisor.env as Record<string, string>;
    const { APP_SUPERVISOR_REDIS_URL, APP_SUPERVISOR_KEY_PREFIX = 'app-supervisor' } = env;
    const fingerprints = {
      appKey: fingerprint(env.APP_KEY),
      aesKey: fingerprint(env.APP_SUPERVISOR_AES_SECRET_KEY),
    };
    this.registration = registrationOf(name, { fingerprints });
    this.state = new RedisState(APP_SUPERVISOR_REDIS_URL, new Keys(APP_SUPERVISOR_KEY_PREFIX), SILENT);
    this.state.open();
  }

  /** Appears, or appears again with other values. */
  async appear(values: Partial<Registration> = {}): Promise<void> {
    this.registration = { ...this.registration, ...values };
    await waitFor(this.isConnected, { timeout: 60_000, what: 'A connection to Redis' });
    await this.state.writeRegistration(this.registration);
    this.held = { ...this.held, beat: this.held.beat + 1, registered: this.held.registered + 1 };
    const environment = this.registration.name;
    const claim = { environment, lease: this.held, ttl: 180_000, mayTake: true, provenBy: null };
    const answer = await this.state.claimLease(claim);
    if (!answer.held) throw new Error(`Another process holds ${environment}.`);
    this.held.epoch = answer.epoch;
  }

  /** Says goodbye, as at SIGTERM. */
  async leave(): Promise<void> {
    await this.state.releaseLease(this.registration.name, this.held.instance, this.held.epoch);
  }

  private readonly isConnected = () =>
    this.state.look().then(
      () => true,
      () => false,
    );

  close(): Promise<void> {
    return this.state.close();
  }
}
