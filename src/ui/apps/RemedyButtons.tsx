import { Button, Flex } from 'antd';
import { useNavigate } from 'react-router-dom';
import type { AppRow } from '../../shared/types';
import { PATHS } from '../common/paths';
import { useT } from '../host';
import { type AppRemedy, REMEDY_LABELS } from './remedies';
import type { AppHandler } from './useAppDialogs';

interface Props {
  app: AppRow;
  remedies: AppRemedy[];
  handle: AppHandler;
}

/** A button for each. */
export function RemedyButtons({ app, remedies, handle }: Props) {
  const t = useT();
  const navigate = useNavigate();
  const run = (remedy: AppRemedy) => {
    if (remedy === 'log') navigate(`${PATHS.apps}?${new URLSearchParams({ app: app.name, tab: 'log' })}`);
    else if (remedy === 'environments') navigate(PATHS.environments);
    else if (remedy === 'connection') handle('edit', app);
    else if (remedy === 'assign') handle('move', app);
    else handle(remedy, app);
  };
  if (!remedies.length) return null;
  return (
    <Flex gap="small" wrap>
      {remedies.map((remedy, index) => (
        <Button
          key={remedy}
          size="small"
          type={index === 0 ? 'primary' : 'default'}
          onClick={() => run(remedy)}
          data-testid={`remedy-${remedy}`}
        >
          {t(REMEDY_LABELS[remedy])}
        </Button>
      ))}
    </Flex>
  );
}
