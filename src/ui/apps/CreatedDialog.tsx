import { css } from '@emotion/css';
import { Alert, Button, Flex, Spin } from 'antd';
import { useEffect, useRef, useState } from 'react';
import { SSO_RESOURCE } from '../../shared/sso';
import type { AppRow, CreatedApp } from '../../shared/types';
import { useApi } from '../common/api';
import { messageText } from '../common/errors';
import { SignInDialog } from '../common/SignInDialog';
import { isUnderway } from '../common/status';
import { useLive } from '../common/useLive';
import { type Host, useHost } from '../host';
import { InstallingBar } from './InstallingBar';
import { type Installing, installingOf } from './installing';

export type NewlyCreated = CreatedApp & { unchecked: string[] };

/** How to sign in to an app that was just created, and the way into it. */
export function CreatedDialog({ created, onClose }: { created: NewlyCreated; onClose: () => void }) {
  const host = useHost();
  const { t } = host;
  const api = useApi();
  const { name, title, initialAdmin, unchecked } = created;
  const { data: app } = useLive(
    () => api.getApp(name),
    name,
    () => true,
  );
  const [isAwaited, setAwaited] = useState(false);
  const isReady = app !== undefined && isEnterable(app);
  useEffect(() => {
    if (isAwaited && isReady) window.location.assign(entranceOf(host, created));
  }, [isAwaited, isReady, host, created]);
  return (
    <SignInDialog
      signIn={{ title, url: host.appUrl(name), administrator: initialAdmin }}
      onClose={onClose}
      action={
        <Button type="primary" onClick={() => setAwaited(true)} loading={isAwaited} data-testid="open-when-ready">
          <span className={BOTH}>
            <span style={{ visibility: isReady ? 'hidden' : undefined }}>{t('Open when ready')}</span>
            <span style={{ visibility: isReady ? undefined : 'hidden' }}>{t('Open')}</span>
          </span>
        </Button>
      }
    >
      {unchecked.length > 0 && (
        <Alert
          type="warning"
          showIcon
          message={t(
            'No answer from {{environments}}: the app is created there as soon as possible, and its database was not checked there.',
            {
              environments: unchecked.join(t(', ')),
            },
          )}
        />
      )}
      <Flex vertical justify="center" style={{ minHeight: STATE }}>
        <State app={app} isReady={isReady} />
      </Flex>
    </SignInDialog>
  );
}

/** In px: room for any state but a long error. The buttons below it stay where somebody is about to press one. */
const STATE = 48;
/** Both texts of a button, in one place: it is as wide as the longer one, whichever is shown. */
const BOTH = css({ display: 'inline-grid', '& > *': { gridArea: '1 / 1' } });

/** Whether a visit reaches it, or starts it. */
const isEnterable = ({ statuses }: AppRow) =>
  Object.values(statuses).some(({ status, error }) => !error && (status === 'running' || status === 'dormant'));

/** Whoever is its first administrator is signed in once, as long as nobody has signed in there. */
function entranceOf({ appUrl, apiUrl, user }: Host, { name, initialAdmin }: CreatedApp): string {
  if (!user.username || user.username !== initialAdmin.username) return appUrl(name);
  return apiUrl(`__app/${name}/${SSO_RESOURCE}:start?${new URLSearchParams({ first: '1', redirect: appUrl(name) })}`);
}

function State({ app, isReady }: { app: AppRow | undefined; isReady: boolean }) {
  const { t } = useHost();
  const last = useRef<Installing | null>(null);
  if (isReady) return <Alert type="success" showIcon message={t('The app is ready.')} data-testid="app-ready" />;
  const statuses = Object.values(app?.statuses ?? {});
  const error = statuses.find((status) => status.error)?.error;
  if (app && error && !isUnderway(app.operation))
    return <Alert type="error" showIcon message={messageText(t, error)} data-testid="app-failed" />;
  // Between two plugins NocoBase says something else.
  last.current = statuses.map(installingOf).find((found) => found !== null) ?? last.current;
  return last.current ? (
    <InstallingBar {...last.current} />
  ) : (
    <div>
      <Spin size="small" /> {t('The app is being created.')}
    </div>
  );
}
