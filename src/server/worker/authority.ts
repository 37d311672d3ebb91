import type { Clock } from '../clock';
import type { LeaseStore } from '../protocol/stores/leases';
import type { HostingAuthority } from './hosting/claim';
import type { LeaseKeeper } from './lease';

/** Longer than a heartbeat: a store that has lost its content names every live holder again within this time, in ms. */
const LOOKS_APART = 1.2;

export interface AuthorityOptions {
  /** Of this process, in rows of apps' databases. */
  environment: string;
  instance: string;
  /** Of a heartbeat, in ms. */
  interval: number;
  keeper: LeaseKeeper;
  leases: Pick<LeaseStore, 'left'>;
  clock: Clock;
}

/** What makes this process the host of its environment: its lock and its epoch. */
export function createAuthority({
  environment,
  instance,
  interval,
  keeper,
  leases,
  clock,
}: AuthorityOptions): HostingAuthority {
  const silentNow = async (names: string[]): Promise<string[]> => {
    if (!names.length) return [];
    try {
      const left = await leases.left(names);
      return names.filter((name) => left.get(name) === 0);
    } catch {
      return [];
    }
  };
  return {
    environment,
    instance,
    installation: () => keeper.lock.lock.fingerprint ?? '',
    epoch: () => keeper.epoch,
    now: () => clock.now().wall,
    confirm: () => keeper.confirm(),
    exceed: (epoch) => keeper.exceed(epoch),
    async silentOf(environments) {
      const first = await silentNow(environments);
      if (!first.length) return [];
      await clock.sleep(interval * LOOKS_APART);
      return silentNow(first);
    },
  };
}
