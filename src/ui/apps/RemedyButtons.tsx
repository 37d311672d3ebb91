import { Button, Flex, Tooltip } from 'antd';
import { useNavigate } from 'react-router-dom';
import type { AppRemedy } from '../../shared/remedies';
import type { AppRow } from '../../shared/types';
import { LOG_PARAMS, logAddress, PATHS } from '../common/paths';
import { useAddress } from '../common/useAddress';
import { useT } from '../host';
import { REMEDY_HELP, REMEDY_LABELS } from './remedies';
import type { AppHandler } from './useAppDialogs';

interface Props {
  app: AppRow;
  /** Where the error is; absent: nowhere in particular. */
  environment?: string | null;
  remedies: AppRemedy[];
  handle: AppHandler;
}

/** Id of the tabs of an app's page. */
export const DETAILS = 'app-details';

/** A button for each. */
export function RemedyButtons({ app, environment = null, remedies, handle }: Props) {
  const t = useT();
  const navigate = useNavigate();
  const { replace } = useAddress();
  const showLog = () => {
    replace((now) => {
      for (const key of LOG_PARAMS) now.delete(key);
      for (const [key, value] of logAddress(app.name, environment, null)) now.set(key, value);
      return now;
    });
    const tab = document.getElementById(`${DETAILS}-tab-log`);
    tab?.scrollIntoView({ block: 'center' });
    tab?.focus({ preventScroll: true });
  };
  const run = (remedy: AppRemedy) => {
    if (remedy === 'log') showLog();
    else if (remedy === 'environments') navigate(PATHS.environments);
    else if (remedy === 'connection') handle('edit', app);
    else if (remedy === 'assign') handle('move', app);
    else handle(remedy, app);
  };
  if (!remedies.length) return null;
  return (
    <Flex gap="small" wrap>
      {remedies.map((remedy, index) => (
        <Tooltip key={remedy} title={REMEDY_HELP[remedy] && t(REMEDY_HELP[remedy])} trigger={['hover', 'focus']}>
          <Button
            size="small"
            type={index === 0 ? 'primary' : 'default'}
            onClick={() => run(remedy)}
            data-testid={`remedy-${remedy}`}
          >
            {t(REMEDY_LABELS[remedy])}
          </Button>
        </Tooltip>
      ))}
    </Flex>
  );
}
