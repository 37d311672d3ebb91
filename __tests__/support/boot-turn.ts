import type { BootTurn } from '../../src/server/worker/hosting/boot-turn';
import type { HostingAuthority } from '../../src/server/worker/hosting/claim';
import type { AppRecord } from '../../src/shared/messages';

/** A process that holds its environment, and finds all others alive. */
export const authorityOf = (values: Partial<HostingAuthority> = {}): HostingAuthority => ({
  environment: 'env_a',
  holder: 'one',
  term: () => 1,
  now: () => Date.UTC(2026, 10, 24),
  confirm: async () => true,
  raise: async () => true,
  ...values,
});

/** The turn of an app that stays wanted as it is. */
export const turnOf = (
  record: AppRecord,
  how: 'start' | 'restart' | 'upgrade' = 'start',
  values: Partial<BootTurn> = {},
): BootTurn => ({
  decide: () => ({ record, how }),
  authority: authorityOf(),
  begin: () => undefined,
  mark: async () => undefined,
  progress: () => undefined,
  onLate: () => undefined,
  signal: new AbortController().signal,
  ...values,
});
