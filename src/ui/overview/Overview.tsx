import { Card, Col, Flex, Row, Skeleton } from 'antd';
import { useState } from 'react';
import type { FleetSummary } from '../../shared/summary';
import { useApi } from '../common/api';
import { MoveDialog } from '../common/MoveDialog';
import { Failure, Freshness } from '../common/Page';
import { keepRows } from '../common/refresher';
import { useLive } from '../common/useLive';
import { useT } from '../host';
import { AttentionList } from './AttentionList';
import { Counts } from './Counts';
import { Doors } from './Doors';
import { EnvironmentRows } from './EnvironmentRows';
import { FirstSteps } from './FirstSteps';
import { OwnPassword } from './OwnPassword';
import { Problems } from './Problems';
import { Recent } from './Recent';
import { inTrouble, type Moving } from './remedies';

/** Is anybody hurt, what changed, what can be done: of the whole fleet. */
export function Overview() {
  const t = useT();
  const api = useApi();
  const [moving, setMoving] = useState<Moving>();
  const { data, error, refresh } = useLive(
    async (previous: FleetSummary | undefined) => {
      const next = await api.summary();
      // What they use at this moment differs with each heartbeat, and is not shown here.
      const shown = next.environments.map((each) => ({ ...each, memory: null, eventLoopDelay: null }));
      return { ...next, environments: keepRows(previous?.environments, shown, ({ name }) => name) };
    },
    'summary',
    inTrouble,
  );
  if (!data) return <Card>{error ? <Failure error={error} retry={refresh} /> : <Skeleton active />}</Card>;
  return (
    <Flex vertical gap="middle" data-testid="overview">
      <Freshness error={error} />
      <OwnPassword />
      <FirstSteps summary={data} />
      {/* Without apps there are no visitors, and nothing is counted. */}
      {(data.total > 0 || data.problems.length > 0) && (
        <Problems problems={data.problems} attention={data.attention} move={setMoving} refresh={refresh} />
      )}
      {data.total > 0 && (
        <Card size="small" role="region" aria-label={t('Apps by status')}>
          <Counts summary={data} />
        </Card>
      )}
      <EnvironmentRows environments={data.environments} />
      <Doors doors={data.doors} />
      <Row gutter={[16, 16]}>
        <Col xs={24} lg={10}>
          <AttentionList attention={data.attention} />
        </Col>
        <Col xs={24} lg={14}>
          <Recent />
        </Col>
      </Row>
      {moving && (
        <MoveDialog
          {...moving}
          onClose={() => setMoving(undefined)}
          onDone={() => {
            setMoving(undefined);
            void refresh();
          }}
        />
      )}
    </Flex>
  );
}
