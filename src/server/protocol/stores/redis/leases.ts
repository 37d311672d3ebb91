import claimLease from '../../scripts/claimLease-6.lua';
import releaseLease from '../../scripts/releaseLease-3.lua';
import type { LeaseAnswer, LeaseClaim, LeaseStore } from '../leases';
import type { Script, StoreConnection } from './connection';

/** `LeaseStore` with scripts; leases expire with their keys. */
export class RedisLeases implements LeaseStore {
  private readonly claimLease: Script;
  private readonly releaseLease: Script;

  constructor(private readonly connection: StoreConnection) {
    this.claimLease = connection.script('claimLease', 6, claimLease);
    this.releaseLease = connection.script('releaseLease', 3, releaseLease);
  }

  async claim({ environment, lease, ttl, mayTake, provenBy }: LeaseClaim): Promise<LeaseAnswer> {
    const { keys } = this.connection;
    const [result, epoch, instance] = await this.claimLease(
      keys.lease(environment),
      keys.holder(environment),
      keys.environments(),
      keys.standby(environment),
      keys.statuses(environment),
      keys.version(environment),
      environment,
      JSON.stringify(lease),
      ttl,
      mayTake ? '1' : '0',
      provenBy ?? '',
    );
    if (result === 'nobody') return { held: false, holder: null };
    // It has written.
    this.connection.connection.proved();
    if (result === 'other') return { held: false, holder: { instance, epoch: Number(epoch) } };
    return { held: true, epoch: Number(epoch), fresh: result === 'taken' };
  }

  async release(environment: string, instance: string, epoch: number): Promise<void> {
    const { keys } = this.connection;
    await this.releaseLease(
      keys.lease(environment),
      keys.statuses(environment),
      keys.version(environment),
      instance,
      epoch,
    );
  }

  async left(environments: string[]): Promise<Map<string, number>> {
    const { redis, keys } = this.connection;
    const left = await Promise.all(environments.map((name) => redis.pttl(keys.lease(name))));
    return new Map(environments.map((name, index) => [name, Math.max(left[index], 0)]));
  }
}
