import type { Announced, LeaseStore } from '../../src/server/protocol/stores/leases';
import type { Lease, Registration } from '../../src/shared/messages';
import { leaseOf, registrationOf } from './fixtures';

/** Processes that hold environments, as far as a store hears of them: what a test says of one stays until it says otherwise. */
export class Announcing {
  private readonly leases = new Map<string, Lease>();
  private readonly registrations = new Map<string, Registration>();

  /** @param first the epoch of the first tenure */
  constructor(
    private readonly store: () => LeaseStore,
    private readonly first = 1_000,
  ) {}

  /** What the next announcements of an environment say of it. */
  register(registration: Registration): void {
    this.registrations.set(registration.name, registration);
    const lease = this.leases.get(registration.name);
    if (lease) lease.registered++;
  }

  /** Announces a beat; of another instance than before, or of one that has left, a new tenure. @returns its epoch */
  async beat(environment: string, values: Partial<Lease> = {}, ttl = 15_000): Promise<number> {
    const answer = await this.announce(environment, values, ttl);
    if (answer.by !== 'me') throw new Error(`The announcement was refused: ${JSON.stringify(answer)}.`);
    return this.leases.get(environment)!.epoch;
  }

  async announce(environment: string, values: Partial<Lease> = {}, ttl = 15_000): Promise<Announced> {
    const last = this.leases.get(environment);
    const isOther = values.instance !== undefined && values.instance !== last?.instance;
    const epoch = last ? last.epoch + Number(isOther) : this.first;
    const lease = { ...(last ?? leaseOf({ beat: 0 })), epoch, ...values };
    lease.beat = values.beat ?? lease.beat + 1;
    const registration = this.registrations.get(environment) ?? registrationOf(environment);
    const stated = { ...registration, epoch: lease.epoch };
    const answer = await this.store().announce({ environment, lease, registration: stated, ttl });
    if (answer.by === 'me') this.leases.set(environment, lease);
    return answer;
  }
}
