import { Alert, Empty, Spin } from 'antd';
import type { AppEntry } from '../../shared/types';
import { ErrorBoundary } from '../common/ErrorBoundary';
import { apiError, problemText } from '../common/errors';
import { keepRows } from '../common/refresher';
import { useLive } from '../common/useLive';
import { useHost, useT } from '../host';
import { EntryLinks } from './EntryLinks';
import { type ClientName, entriesQuery } from './entries';

/** The Applications block: the apps that the user can open, kept up to date. */
export default function Applications({ client }: { client: ClientName }) {
  const t = useT();
  return (
    <ErrorBoundary fallback={() => <Alert type="error" showIcon message={t('Loading failed')} />}>
      <Content client={client} />
    </ErrorBoundary>
  );
}

function Content({ client }: { client: ClientName }) {
  const host = useHost();
  const { t } = host;
  const { data, error } = useLive(async (previous: AppEntry[] | undefined) => {
    const answer = (await host.request({ ...entriesQuery(client), method: 'get' })) as { data: AppEntry[] };
    return keepRows(previous, answer.data, ({ name }) => name);
  }, 'entries');
  if (!data) {
    return error ? (
      <Alert type="warning" showIcon message={t('Loading failed')} description={failureText(t, error)} />
    ) : (
      <Spin />
    );
  }
  return data.length ? (
    <EntryLinks entries={data} />
  ) : (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No apps available')} />
  );
}

const failureText = (t: ReturnType<typeof useT>, error: unknown) => problemText(t, apiError(error).problems[0]);
