import { BatchDrawer, isAnyOpen } from '../apps/BatchDrawer';
import { Batches } from '../apps/Batches';
import { useApi } from '../common/api';
import { useLive } from '../common/useLive';

/** How many of the newest batches are looked at. */
const NEWEST = 10;

interface Props {
  /** Default: those of all environments. */
  environment?: string;
  /** After something of a batch was asked for again. */
  onChange: () => void;
}

/** Drains and moves of whole environments: how far they are, and what has failed. Nothing for a user who may not see them. */
export function EnvironmentBatches({ environment, onChange }: Props) {
  const api = useApi();
  const { data = [], refresh } = useLive(() => api.listBatches(NEWEST), 'batches', isAnyOpen);
  const shown = data.filter(
    (batch) => batch.environment !== null && (environment === undefined || batch.environment === environment),
  );
  return (
    <>
      <Batches batches={shown} />
      <BatchDrawer
        onChange={() => {
          void refresh();
          onChange();
        }}
      />
    </>
  );
}
