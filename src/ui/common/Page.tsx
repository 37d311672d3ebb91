import { Alert, Button, Card, ConfigProvider, Flex, Result, Space, Spin, theme } from 'antd';
import { createContext, type ReactNode, useContext } from 'react';
import type { PartInfo } from '../../shared/types';
import { useSocketUp, useT } from '../host';
import { useApi } from './api';
import { ConfirmProvider } from './Confirm';
import { ErrorBoundary } from './ErrorBoundary';
import { type ApiError, messageText, problemText } from './errors';
import { GoTo } from './GoTo';
import { KeyboardHelp } from './KeyboardHelp';
import { OtherPart } from './OtherPart';
import { ReportProvider } from './Report';
import { ROOMY } from './roomy';
import { SettingsMenu } from './SettingsMenu';
import { readableTheme } from './theme';
import { useLive } from './useLive';

const Info = createContext<PartInfo | null>(null);

/** In shared memory there is only one environment, so the pages do not name it. */
export const useIsLocal = (): boolean => useContext(Info)?.part === 'local';

/** Whether this Supervisor makes Workers itself, in an engine that it was given. */
export const useMakesContainers = (): boolean => useContext(Info)?.makesContainers ?? false;

/** What the Overview alone says of this process. */
const OWN_PASSWORD = 'OWN_ADMIN_KNOWN';

/** Whether the administrator of the main app has the password that everybody knows. */
export const useKnowsOwnPassword = (): boolean =>
  useContext(Info)?.warnings.some(({ code }) => code === OWN_PASSWORD) ?? false;

/** In px: so much below the last row is covered by the button of NocoBase's AI employees. */
const COVERED = 96;

/** Frame of a settings page: catches its errors, and shows it only if this process manages apps. */
export function Page({ children }: { children: ReactNode }) {
  const { token } = theme.useToken();
  const t = useT();
  return (
    <ConfigProvider theme={readableTheme(token)} {...ROOMY}>
      <SettingsMenu />
      <ErrorBoundary
        fallback={(error) => (
          <Card>
            <Result
              status="error"
              title={t('This page failed')}
              subTitle={t('Reload it. If it fails again, report this text: {{text}}', { text: error.message })}
              extra={<Button onClick={() => window.location.reload()}>{t('Reload')}</Button>}
            />
          </Card>
        )}
      >
        <ConfirmProvider>
          <ReportProvider>
            <ForThisPart>{children}</ForThisPart>
          </ReportProvider>
        </ConfirmProvider>
      </ErrorBoundary>
    </ConfigProvider>
  );
}

function ForThisPart({ children }: { children: ReactNode }) {
  const t = useT();
  const { token } = theme.useToken();
  const api = useApi();
  const { data, error, refresh } = useLive(api.info, 'info');
  if (!data) {
    return <Card>{error ? <Failure error={error} retry={refresh} /> : <Spin style={{ display: 'block' }} />}</Card>;
  }
  if (data.part === 'worker' || data.part === 'dormant') {
    return <OtherPart info={data} />;
  }
  return (
    <Info.Provider value={data}>
      <Space direction="vertical" size="middle" style={{ width: '100%', paddingBottom: COVERED }}>
        <Flex gap="small" justify="end" style={{ marginBottom: Math.min(0, 8 - token.padding) }}>
          <GoTo isLocal={data.part === 'local'} />
          <KeyboardHelp />
        </Flex>
        {data.warnings
          .filter(({ code }) => code !== OWN_PASSWORD)
          .map((warning) => (
            <Alert key={messageText(t, warning)} type="warning" showIcon message={messageText(t, warning)} />
          ))}
        {children}
      </Space>
    </Info.Provider>
  );
}

/** Shown instead of data that could not be loaded. */
export function Failure({ error, retry }: { error: ApiError; retry: () => void }) {
  const t = useT();
  if (error.status === 403) {
    return (
      <Result
        status="403"
        title={t('Your role has no permission to see this')}
        subTitle={t('Ask an administrator for the permission to manage apps.')}
      />
    );
  }
  if (error.status === 404) {
    return (
      <Result status="404" title={t('Apps are not managed here')} subTitle={t('Open this page in the main app.')} />
    );
  }
  return (
    <Result
      status="warning"
      title={t('Loading failed')}
      subTitle={problemText(t, error.problems[0])}
      extra={<Button onClick={retry}>{t('Try again')}</Button>}
    />
  );
}

/** Shown above the data: whether it is up to date. */
export function Freshness({ error }: { error?: ApiError }) {
  const t = useT();
  const socketUp = useSocketUp();
  if (error) {
    return (
      <Alert
        type="error"
        showIcon
        banner
        message={t('This page is not up to date')}
        description={problemText(t, error.problems[0])}
      />
    );
  }
  return socketUp ? null : (
    <Alert
      type="info"
      showIcon
      banner
      data-testid="live-off"
      message={t('Live updates are off. This page refreshes every 5 seconds.')}
    />
  );
}
