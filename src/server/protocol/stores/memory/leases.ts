import type { Lease } from '../../../../shared/messages';
import type { Clock } from '../../../clock';
import type { LeaseAnswer, LeaseClaim, LeaseStore } from '../leases';

/** By the monotonic clock, in ms. */
interface Until {
  until: number;
}

/** `LeaseStore` of one process. */
export class MemoryLeases implements LeaseStore {
  private readonly leases = new Map<string, Until & { lease: Lease }>();
  private readonly standbys = new Map<string, Until & { instance: string; place?: string }>();
  /** The last holder of every environment that was not forgotten. */
  private readonly holders = new Map<string, { instance: string; epoch: number }>();

  /**
   * @param isAlone whether no other process can hold anything: a lease is given to any claimer, and never expires
   * @param onNewHolder called when reports under the previous lease are no longer valid
   */
  constructor(
    private readonly clock: Clock,
    private readonly isAlone: boolean,
    private readonly onNewHolder: (environment: string) => void,
  ) {}

  /** As in claimLease-6.lua. */
  async claim({ environment, lease, ttl, mayTake, above = 0, provenBy, place }: LeaseClaim): Promise<LeaseAnswer> {
    const { mono, wall } = this.clock.now();
    const until = this.isAlone ? Number.POSITIVE_INFINITY : mono + ttl;
    const current = this.leaseOf(environment);
    const isMine = current?.instance === lease.instance;
    const isOlder = current !== null && !isMine && lease.epoch > current.epoch;
    const isDead = provenBy !== null && current?.provenBy === provenBy;
    if (current && !isMine && !isOlder && !isDead && !this.isAlone) {
      this.standbys.set(environment, { instance: lease.instance, place, until });
      return { held: false, holder: { instance: current.instance, epoch: current.epoch } };
    }
    const stays = isMine && current.epoch > above;
    let epoch = stays ? current.epoch : 0;
    if (!stays) {
      const last = this.holders.get(environment);
      const wasMine = !last || last.instance === lease.instance;
      if (lease.epoch > above && (wasMine || isOlder) && lease.epoch >= (last?.epoch ?? 0)) {
        epoch = lease.epoch;
        if (current) this.onNewHolder(environment);
      } else if (mayTake || current || this.isAlone) {
        epoch = Math.max((last?.epoch ?? 0) + 1, lease.epoch + 1, above + 1, wall);
        this.onNewHolder(environment);
      } else return { held: false, holder: null };
      this.holders.set(environment, { instance: lease.instance, epoch });
    }
    const proof = provenBy === null ? {} : { provenBy };
    this.leases.set(environment, { lease: { ...structuredClone(lease), epoch, ...proof }, until });
    return { held: true, epoch, fresh: !stays };
  }

  async release(environment: string, instance: string, epoch: number): Promise<void> {
    if (!this.holds(environment, instance, epoch)) return;
    this.leases.delete(environment);
    this.onNewHolder(environment);
  }

  async left(environments: string[]): Promise<Map<string, number>> {
    const { mono } = this.clock.now();
    return new Map(environments.map((name) => [name, Math.max((this.leases.get(name)?.until ?? mono) - mono, 0)]));
  }

  holds(environment: string, instance: string, epoch: number): boolean {
    const current = this.leaseOf(environment);
    return current?.instance === instance && current.epoch === epoch;
  }

  names(): string[] {
    return [...this.holders.keys()];
  }

  leaseOf(environment: string): Lease | null {
    const stored = this.leases.get(environment);
    return stored && stored.until > this.clock.now().mono ? stored.lease : null;
  }

  standbyOf(environment: string): { instance: string; place?: string } | null {
    const standby = this.standbys.get(environment);
    return standby && standby.until > this.clock.now().mono ? standby : null;
  }

  forget(environment: string): void {
    for (const map of [this.leases, this.standbys, this.holders]) map.delete(environment);
  }
}
