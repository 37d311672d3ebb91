import { PlusOutlined, ReloadOutlined } from '@ant-design/icons';
import { useRequest } from 'ahooks';
import { Button, Card, Empty, Flex, Space, Tooltip } from 'antd';
import type { EnvironmentRow } from '../../shared/types';
import { useApi } from '../common/api';
import { FormSelect } from '../common/FormSelect';
import { Failure, Freshness, useIsLocal, useMakesContainers } from '../common/Page';
import { changedChoices } from '../common/query';
import { Rows } from '../common/Rows';
import { keepRows } from '../common/refresher';
import { Secondary } from '../common/Secondary';
import { SECURITY } from '../common/snippets';
import { HEALTH } from '../common/status';
import { TextFilter } from '../common/TextFilter';
import { key } from '../common/text';
import { useAddress } from '../common/useAddress';
import { useLive } from '../common/useLive';
import { useHost, useT } from '../host';
import { ContainerEnd, useContainers } from './Containers';
import { columnsOf, Warnings } from './columns';
import { EnvironmentBatches, useEnvironmentBatches } from './EnvironmentBatches';
import { found, type Place, placesOf, type Trait, traitsOf } from './places';
import { useEnvironmentActions } from './useEnvironmentActions';

/** All environments, with their containers. */
export function Environments({ onAdd }: { onAdd: () => void }) {
  const host = useHost();
  const { t } = host;
  const api = useApi();
  const isLocal = useIsLocal();
  const { data: info } = useRequest(host.info);
  const { params } = useAddress();
  const containers = useContainers(useMakesContainers() && host.maySee(SECURITY));
  const { data, error, loading, refresh } = useLive(
    async (previous: EnvironmentRow[] | undefined) =>
      keepRows(previous, await api.listEnvironments(), ({ name }) => name),
    'environments',
    (rows) => rows.some(({ health }) => health !== 'online'),
  );
  const batches = useEnvironmentBatches();
  const reload = () => void Promise.all([refresh(), containers.refresh(), batches.refresh()]);
  const { act, dialogs } = useEnvironmentActions(reload);

  if (!data && error) {
    return (
      <Card>
        <Failure error={error} retry={refresh} />
      </Card>
    );
  }
  // Who may not see containers sees the environments alone.
  const places = data && placesOf(data, containers.data ?? []);
  const shown = places && found(places, params.get('text') ?? '', traitsIn(params));
  return (
    <Card>
      <Flex vertical gap="middle">
        <Flex gap="small" wrap justify="space-between" align="start">
          <Filters places={places ?? []} />
          <Space>
            <Tooltip title={t('Refresh')}>
              <Button icon={<ReloadOutlined />} onClick={reload} aria-label={t('Refresh')} />
            </Tooltip>
            {!isLocal && (
              <Button type="primary" icon={<PlusOutlined />} onClick={onAdd} data-testid="add-environment">
                {t('Add environment')}
              </Button>
            )}
          </Space>
        </Flex>
        <Freshness error={error ?? containers.failure} />
        <EnvironmentBatches batches={batches.data} onChange={reload} />
        <Rows
          rows={shown}
          nameOf={({ name }) => name}
          columns={columnsOf(t, info?.version ?? null, isLocal, act, reload, containers)}
          width={isLocal ? undefined : 1140}
          lines={['name', 'health']}
          mark={({ name, environment }) => ({
            'data-testid': `environment-row-${name}`,
            'data-health': environment?.health ?? 'none',
          })}
          below={belowOf}
          loading={loading}
          empty={<NoEnvironments isFiltered={Boolean(places?.length)} onAdd={onAdd} />}
        />
      </Flex>
      {dialogs}
      {containers.drawer}
    </Card>
  );
}

function NoEnvironments({ isFiltered, onAdd }: { isFiltered: boolean; onAdd: () => void }) {
  const t = useT();
  return isFiltered ? (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No environment matches this filter')} />
  ) : (
    <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('No environment has registered yet')}>
      <Button onClick={onAdd}>{t('Add environment')}</Button>
    </Empty>
  );
}

function belowOf({ environment, container }: Place) {
  const hasWarnings = environment !== undefined && environment.warnings.length > 0;
  if (!hasWarnings && !container?.cause) return null;
  return (
    <Flex vertical gap="small">
      {hasWarnings && <Warnings environment={environment} />}
      {container && <ContainerEnd container={container} />}
    </Flex>
  );
}

const traitsIn = (params: URLSearchParams): string[] => params.get('state')?.split(',').filter(Boolean) ?? [];

const TRAITS: Record<Trait, string> = {
  ...(Object.fromEntries(Object.entries(HEALTH).map(([health, { label }]) => [health, label])) as Record<
    keyof typeof HEALTH,
    string
  >),
  near: key('Near a limit'),
  cordoned: key('Cordoned'),
  warned: key('With warnings'),
  notJoined: key('Not joined yet'),
};

/** Which environments are shown, as the address of the page has it. */
function Filters({ places }: { places: readonly Place[] }) {
  const t = useT();
  const { params, replace } = useAddress();
  const ask = (name: string, value: (now: URLSearchParams) => string) =>
    replace((now) => {
      const next = new URLSearchParams(now);
      if (value(now)) next.set(name, value(now));
      else next.delete(name);
      return next;
    });
  const traits = places.flatMap(traitsOf);
  const asked = traitsIn(params);
  return (
    <Flex gap="small" wrap role="search" style={{ flex: '1 1 320px', minWidth: 0 }}>
      <TextFilter
        text={params.get('text') ?? ''}
        label={t('Find environments by name, address, process or version')}
        ask={(text) => ask('text', () => text)}
      />
      <FormSelect
        mode="multiple"
        allowClear
        showSearch={false}
        maxTagCount="responsive"
        placeholder={t('Any state')}
        aria-label={t('Find environments by state')}
        style={{ flex: '0 1 200px', minWidth: 150 }}
        value={asked}
        onChange={(next) => ask('state', (now) => changedChoices(traitsIn(now), asked, next).join(','))}
        optionLabelProp="text"
        data-testid="filter-state"
        options={Object.entries(TRAITS)
          .filter(([trait]) => traits.includes(trait as Trait) || asked.includes(trait))
          .map(([trait, label]) => ({
            value: trait,
            text: t(label),
            label: (
              <Space size="small">
                {t(label)}
                <Secondary>{traits.filter((each) => each === trait).length}</Secondary>
              </Space>
            ),
          }))}
      />
    </Flex>
  );
}
