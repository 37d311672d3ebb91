import { Empty, Flex, type TableColumnType } from 'antd';
import type { EnvironmentDetails } from '../../shared/environment';
import { messageText } from '../common/errors';
import { appPath, PATHS } from '../common/paths';
import { Rows } from '../common/Rows';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { StatusCounts } from '../common/StatusCounts';
import { STATUS } from '../common/status';
import { StateTag } from '../common/Tag';
import { TextLink } from '../common/TextLink';
import { type Translate, useT } from '../host';

type Hosted = EnvironmentDetails['hosted'][number];

/** The apps of an environment as they are there, the worst first. */
export function HostedApps({ environment: { name, apps, hosted } }: { environment: EnvironmentDetails }) {
  const t = useT();
  return (
    <Flex vertical gap="small" data-testid="hosted-apps">
      {hosted.length > 0 && (
        <Flex gap="middle" wrap align="center">
          <TextLink to={`${PATHS.apps}?${new URLSearchParams({ environment: name })}`}>
            {t('{{count}} apps', { count: hosted.length })}
          </TextLink>
          <StatusCounts environment={name} counts={apps} />
        </Flex>
      )}
      <Rows
        rows={hosted}
        nameOf={(app) => app.name}
        columns={columnsOf(t)}
        lines={['title', 'status']}
        mark={(app) => ({ 'data-testid': `hosted-${app.name}` })}
        empty={<Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No app is here')} />}
      />
    </Flex>
  );
}

const columnsOf = (t: Translate): TableColumnType<Hosted>[] => [
  {
    key: 'title',
    title: t('App'),
    render: (_, { name, title }) => (
      <Flex vertical>
        <TextLink to={appPath(name)}>{title}</TextLink>
        <Secondary>{name}</Secondary>
      </Flex>
    ),
  },
  {
    key: 'status',
    title: t('Status'),
    width: 260,
    render: (_, { status, since }) => (
      <Flex gap="small" align="center" wrap>
        <StateTag tone={STATUS[status].tone}>{t(STATUS[status].label)}</StateTag>
        <Secondary>
          <Since at={since} />
        </Secondary>
      </Flex>
    ),
  },
  {
    key: 'error',
    title: t('Cause'),
    render: (_, { error }) => error && <span style={{ overflowWrap: 'anywhere' }}>{messageText(t, error)}</span>,
  },
];
