import type { Lease, Registration } from '../../../../shared/messages';
import type { Clock } from '../../../clock';
import type { Announced, Announcement, LeaseStore, Waiting } from '../leases';

/** By the monotonic clock, in ms. */
interface Until {
  until: number;
}

/** `LeaseStore` of one process. */
export class MemoryLeases implements LeaseStore {
  private readonly leases = new Map<string, Until & { lease: Lease }>();
  private readonly standbys = new Map<string, Until & Waiting>();
  /** Of every environment that was not forgotten, as its last holder wrote it. */
  private readonly registrations = new Map<string, Registration>();

  /**
   * @param isAlone whether no other process can hold anything: nothing is refused, and nothing expires
   * @param onNewHolder called when reports under the previous announcement are no longer valid
   */
  constructor(
    private readonly clock: Clock,
    private readonly isAlone: boolean,
    private readonly onNewHolder: (environment: string) => void,
  ) {}

  /** As in announce-6.lua. */
  async announce({ environment, lease, registration, ttl, isKnown = false }: Announcement): Promise<Announced> {
    const current = this.leaseOf(environment);
    const { instance, epoch } = lease;
    const isMine = current?.instance === instance;
    const isSame = isMine && current.epoch === epoch;
    const until = this.isAlone ? Number.POSITIVE_INFINITY : this.clock.now().mono + ttl;
    const held = { lease: structuredClone(lease), until };
    if (isSame && current.registered === lease.registered && lease.beat % 5 > 0) {
      this.leases.set(environment, held);
      return { by: 'me', fresh: false };
    }
    const last = this.registrations.get(environment)?.epoch ?? 0;
    if (!this.isAlone) {
      const isElsewhere = current && !isMine && current.place !== lease.place;
      if (isElsewhere && (!isKnown || current.epoch >= epoch))
        return { by: 'otherInstallation', instance: current.instance };
      if (current && (current.epoch > epoch || (current.epoch === epoch && !isMine)))
        return { by: 'newer', epoch: current.epoch, instance: current.instance };
      if (last > epoch) return { by: 'newer', epoch: last, instance: null };
    }
    if (last !== epoch) this.onNewHolder(environment);
    this.registrations.set(environment, structuredClone(registration));
    this.leases.set(environment, held);
    if (this.standbys.get(environment)?.instance === instance) this.standbys.delete(environment);
    return { by: 'me', fresh: !isSame || last !== epoch };
  }

  async wait(environment: string, waiting: Waiting, ttl: number): Promise<void> {
    this.standbys.set(environment, { ...waiting, until: this.clock.now().mono + ttl });
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

  /** No other release writes here. */
  async hasFormer(): Promise<boolean> {
    return false;
  }

  holds(environment: string, instance: string, epoch: number): boolean {
    const current = this.leaseOf(environment);
    return current?.instance === instance && current.epoch === epoch;
  }

  names(): string[] {
    return [...this.registrations.keys()];
  }

  leaseOf(environment: string): Lease | null {
    const stored = this.leases.get(environment);
    return stored && stored.until > this.clock.now().mono ? stored.lease : null;
  }

  registrationOf(environment: string): Registration | null {
    return this.registrations.get(environment) ?? null;
  }

  standbyOf(environment: string): Waiting | null {
    const standby = this.standbys.get(environment);
    return standby && standby.until > this.clock.now().mono ? standby : null;
  }

  forget(environment: string): void {
    for (const map of [this.leases, this.standbys, this.registrations]) map.delete(environment);
  }
}
