import { Alert, Button } from 'antd';
import { useState } from 'react';
import type { AppRow } from '../../shared/types';
import { MoveDialog } from '../common/MoveDialog';
import { useT } from '../host';

/** Says that a failover has moved the app, and brings it home. */
export function AwayNotice({ app, onDone }: { app: AppRow; onDone: () => void }) {
  const t = useT();
  const [isOpen, setOpen] = useState(false);
  const close = () => setOpen(false);
  if (app.home === null) return null;
  const isMoving = app.operation?.action === 'move';
  return (
    <>
      <Alert
        type="info"
        showIcon
        message={
          app.failback === 'automatic'
            ? t(
                'It was moved here because environment "{{environment}}" was down. It returns by itself once that is stable again.',
                {
                  environment: app.home,
                },
              )
            : t('It was moved here because environment "{{environment}}" was down.', { environment: app.home })
        }
        action={
          <Button size="small" disabled={isMoving} onClick={() => setOpen(true)} data-testid="app-bring-home">
            {t('Bring home')}
          </Button>
        }
        data-testid="app-away"
      />
      {isOpen && (
        <MoveDialog
          subject={{ apps: [app.name] }}
          title={t('Bring "{{app}}" home?', { app: app.title })}
          okText={t('Bring home')}
          to={app.home}
          onClose={close}
          onDone={() => {
            close();
            onDone();
          }}
        />
      )}
    </>
  );
}
