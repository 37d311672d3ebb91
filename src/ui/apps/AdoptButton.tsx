import { Button, Tooltip } from 'antd';
import { useT } from '../host';
import { REMEDY_HELP, REMEDY_LABELS } from './remedies';

/** For a database that has an app already. */
export function AdoptButton({ adopt }: { adopt: () => void }) {
  const t = useT();
  return (
    <Tooltip title={t(REMEDY_HELP.adopt ?? '')} trigger={['hover', 'focus']}>
      <Button size="small" onClick={adopt} data-testid="adopt-app">
        {t(REMEDY_LABELS.adopt)}
      </Button>
    </Tooltip>
  );
}
