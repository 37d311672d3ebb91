import { perform } from '../../src/server/supervisor/api/action';
import { ENVIRONMENTS } from '../../src/server/supervisor/api/environments';
import type { DrainMode } from '../../src/shared/words';
import type { MemorySupervisor } from './memory-fleet';

interface Drained {
  batch: string | null;
  operations: Array<{ id: string; appName: string; action: string }>;
  left: Array<{ app: string; code: string }>;
}

/** Drains an environment as a request of the API does. */
export async function drain(
  supervisor: MemorySupervisor['part'],
  environment: string,
  values: { mode: DrainMode; to?: string },
): Promise<Drained> {
  const request = { supervisor, params: { filterByTk: environment }, values, userId: '1', caller: {}, may: {} };
  const { meta } = (await perform(ENVIRONMENTS.drain, request as never)) as unknown as { meta: Drained };
  return meta;
}
