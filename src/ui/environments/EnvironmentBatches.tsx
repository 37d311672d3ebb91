import type { BatchRow } from '../../shared/batch';
import { BatchDrawer, isAnyOpen } from '../batches/BatchDrawer';
import { Batches, useShownBatches } from '../batches/Batches';
import { useApi } from '../common/api';
import { useLive } from '../common/useLive';

/** How many of the newest are looked at. */
const NEWEST = 10;

/**
 * Drains and moves of whole environments. No data for a user who may not see them.
 * @param environment default: those of all environments
 */
export function useEnvironmentBatches(environment?: string) {
  const api = useApi();
  return useLive(
    () => api.listBatches(NEWEST, { environment: environment ?? { $ne: null } }),
    `batches ${environment ?? ''}`,
    isAnyOpen,
  );
}

interface Props {
  batches: readonly BatchRow[] | undefined;
  /** After something of a batch was asked for again. */
  onChange: () => void;
}

/** How far they are, and what has failed. */
export function EnvironmentBatches({ batches = [], onChange }: Props) {
  return (
    <>
      <Batches {...useShownBatches(batches)} />
      <BatchDrawer onChange={onChange} />
    </>
  );
}
