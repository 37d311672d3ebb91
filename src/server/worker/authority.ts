import type { Clock } from '../clock';
import type { HostingAuthority } from './hosting/claim';
import type { LeaseKeeper } from './lease';

/** What makes this process the host of its environment: its lock and its epoch. @param environment as in rows of apps' databases */
export const createAuthority = (
  environment: string,
  instance: string,
  keeper: LeaseKeeper,
  clock: Clock,
): HostingAuthority => ({
  environment,
  holder: instance,
  term: () => keeper.epoch,
  now: () => clock.now().wall,
  confirm: () => keeper.confirm(),
  raise: (term) => keeper.exceed(term),
});
