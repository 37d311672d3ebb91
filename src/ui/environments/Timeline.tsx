import { Card, Flex, Radio, theme } from 'antd';
import { Link, useSearchParams } from 'react-router-dom';
import type { EnvironmentSummary } from '../../shared/summary';
import { useApi } from '../common/api';
import { messageText } from '../common/errors';
import { OPERATION_NAMES } from '../common/labels';
import { PATHS } from '../common/paths';
import { Secondary } from '../common/Secondary';
import { SPANS, type Span, spanOf } from '../common/spans';
import { OPERATION_STATE } from '../common/status';
import { duration, exactTime } from '../common/time';
import { useLive } from '../common/useLive';
import { type Translate, useHost } from '../host';
import { type Bar, barsOf } from './timeline';

/** The newest ones; more could not be told apart. */
const MOST = 200;

/** Operations and outages of each environment. */
export function Timeline({ environments }: { environments: EnvironmentSummary[] }) {
  const { t, language } = useHost();
  const { token } = theme.useToken();
  const api = useApi();
  const [params, setParams] = useSearchParams();
  const span = spanOf(params.get('span'));
  const { data } = useLive(async () => {
    const now = Date.now();
    const [events, operations] = await Promise.all([
      api.listEvents(outagesSince(now - SPANS[span]), 1, MOST),
      api.listOperations(undefined, MOST),
    ]);
    return { now, events: events.rows, operations };
  }, span);
  const show = (value: Span) =>
    setParams((before) => ({ ...Object.fromEntries(before), span: value }), { replace: true });
  if (!environments.length) return null;
  const colors = { outage: token.colorError, failure: token.colorWarning, operation: token.colorPrimary };
  return (
    <Card
      size="small"
      title={t('Operations and outages')}
      data-testid="timeline"
      extra={
        <Radio.Group
          size="small"
          optionType="button"
          value={span}
          onChange={({ target }) => show(target.value)}
          options={[
            { value: '1h', label: t('1 hour') },
            { value: '24h', label: t('24 hours') },
            { value: '7d', label: t('7 days') },
          ]}
        />
      }
    >
      <Flex vertical gap="small">
        {environments.map(({ name }) => (
          <Flex key={name} gap="middle" align="center">
            <strong style={{ width: 120, flex: 'none', overflowWrap: 'anywhere' }}>{name}</strong>
            <div
              style={{
                position: 'relative',
                flex: 1,
                height: 22,
                background: token.colorFillQuaternary,
                borderRadius: token.borderRadiusSM,
                overflow: 'hidden',
              }}
            >
              {data &&
                barsOf(name, data.events, data.operations, SPANS[span], data.now).map((bar) => (
                  <Link
                    key={bar.id}
                    to={pathOf(bar)}
                    title={textOf(t, bar, language)}
                    aria-label={textOf(t, bar, language)}
                    data-kind={bar.kind}
                    style={{
                      position: 'absolute',
                      left: `${bar.left}%`,
                      width: `${bar.width}%`,
                      minWidth: 4,
                      top: bar.kind === 'operation' ? 12 : 2,
                      height: 8,
                      background: isFailed(bar) ? colors.failure : colors[bar.kind],
                      borderRadius: 2,
                    }}
                  />
                ))}
            </div>
          </Flex>
        ))}
        <Legends colors={colors} />
      </Flex>
    </Card>
  );
}

function Legends({ colors }: { colors: Record<Bar['kind'], string> }) {
  const { t } = useHost();
  return (
    <Flex gap="middle" wrap>
      <Legend color={colors.outage} text={t('Outage')} />
      <Legend color={colors.failure} text={t('Crash or failure')} />
      <Legend color={colors.operation} text={t('Operation of an app')} />
    </Flex>
  );
}

function Legend({ color, text }: { color: string; text: string }) {
  return (
    <Flex gap={6} align="center">
      <span aria-hidden style={{ width: 12, height: 8, background: color, borderRadius: 2 }} />
      <Secondary>{text}</Secondary>
    </Flex>
  );
}

/** The filter of `appEvents:list`: also what began earlier and lasts. */
const outagesSince = (from: number) => ({
  kind: { $in: ['health', 'crash', 'failure'] },
  $or: [{ at: { $gte: from } }, { endedAt: { $gte: from } }, { endedAt: { $eq: null } }],
});

const isFailed = ({ operation }: Bar): boolean => operation?.state === 'failed';

function pathOf({ event, operation }: Bar): string {
  if (operation) return `${PATHS.apps}?${new URLSearchParams({ app: operation.appName })}`;
  return `${PATHS.activity}?${new URLSearchParams({ environment: event?.environment ?? '' })}`;
}

function textOf(t: Translate, { event, operation }: Bar, language: string): string {
  const [from, to] = operation ? [operation.createdAt, operation.finishedAt] : [event?.at ?? 0, event?.endedAt ?? null];
  const what = operation
    ? `${operation.appName} · ${t('{{action}}: {{state}}', {
        action: t(OPERATION_NAMES[operation.action]),
        state: t(OPERATION_STATE[operation.state].label),
      })}`
    : event
      ? messageText(t, event.message)
      : '';
  const lasted = to === null ? t('Ongoing') : to > from ? duration(to - from) : null;
  return [what, exactTime(from, language), lasted].filter(Boolean).join(' · ');
}
