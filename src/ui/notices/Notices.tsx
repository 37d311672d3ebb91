import { Card, Flex, Skeleton } from 'antd';
import type { NoticeSettings, NotifierId, NotifierRow } from '../../shared/notice';
import { useApi } from '../common/api';
import { Failure, Freshness } from '../common/Page';
import { useLive } from '../common/useLive';
import { useT } from '../host';
import { ChannelForm } from './ChannelForm';
import { WebhookForm } from './WebhookForm';

/** Who is told what happens: people, and other systems. */
export function Notices() {
  const t = useT();
  const api = useApi();
  const { data, error, refresh } = useLive(
    async (previous: NoticeSettings | undefined) => {
      const next = await api.noticeSettings();
      return previous && JSON.stringify(previous) === JSON.stringify(next) ? previous : next;
    },
    'notifications',
    ({ notifiers }) => notifiers.some(({ failingSince }) => failingSince !== null),
  );
  if (!data) return <Card>{error ? <Failure error={error} retry={refresh} /> : <Skeleton active />}</Card>;
  const rowOf = (id: NotifierId) => data.notifiers.find((row) => row.id === id) as NotifierRow;
  return (
    <Flex vertical gap="middle">
      <Freshness error={error} />
      <Card title={t('Messages to people')}>
        <ChannelForm row={rowOf('channel')} settings={data} refresh={refresh} />
      </Card>
      <Card title={t('Webhook')}>
        <WebhookForm row={rowOf('webhook')} refresh={refresh} />
      </Card>
    </Flex>
  );
}
