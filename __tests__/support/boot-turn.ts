import type { BootTurn } from '../../src/server/worker/hosting/boot-turn';
import type { AppRecord } from '../../src/shared/messages';

/** The turn of an app that stays wanted as it is. */
export const turnOf = (
  record: AppRecord,
  how: 'start' | 'restart' | 'upgrade' = 'start',
  values: Partial<BootTurn> = {},
): BootTurn => ({
  decide: () => ({ record, how }),
  begin: () => undefined,
  mark: async () => undefined,
  progress: () => undefined,
  onLate: () => undefined,
  signal: new AbortController().signal,
  ...values,
});
