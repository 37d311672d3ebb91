import { Card, Flex, Progress, theme } from 'antd';
import type { EnvironmentDetails } from '../../shared/environment';
import { LOAD } from '../common/load';
import { Plot } from '../common/Plot';
import { Secondary } from '../common/Secondary';
import { Term } from '../common/Term';
import { key } from '../common/text';
import { readableColors } from '../common/theme';
import { useT } from '../host';
import { type Limit, limitsOf } from './limits';

/** From this delay on an environment is busy: new apps go elsewhere (placement/places.ts), in ms. */
const BUSY = 500;
const SERIES = ['memory', 'cpu', 'delay', 'requests', 'errors'] as const;

const GRID = {
  display: 'grid',
  gap: '20px 32px',
  gridTemplateColumns: 'repeat(auto-fill, minmax(min(100%, 280px), 1fr))',
};

/** How much an environment has to do, against the limits that hold for its process. */
export function EnvironmentLoad({ environment }: { environment: EnvironmentDetails }) {
  const t = useT();
  const { usage, load } = environment;
  const [own] = load.environments;
  const limits: Partial<Record<(typeof SERIES)[number], { value: number; text: string } | null>> = {
    memory: usage?.container && {
      value: usage.container.limit,
      text: t('Limit of the container: {{limit}}', { limit: LOAD.memory.show(usage.container.limit, t) }),
    },
    cpu: usage && { value: usage.cpu.limit, text: t('Limit: {{limit}}', { limit: LOAD.cpu.show(usage.cpu.limit, t) }) },
    delay: { value: BUSY, text: t('Busy from {{limit}}', { limit: LOAD.delay.show(BUSY, t) }) },
  };
  return (
    <Card size="small" title={t('Load in the last hour')} data-testid="environment-load">
      <Flex vertical gap="middle">
        <Limits usage={usage} />
        <div style={GRID}>
          {SERIES.map((series) => (
            <Plot
              key={series}
              {...LOAD[series]}
              label={t(LOAD[series].label)}
              help={t(LOAD[series].help ?? '')}
              values={own?.[series] ?? []}
              time={load}
              limit={limits[series]}
              isBad={series === 'errors'}
            />
          ))}
        </div>
      </Flex>
    </Card>
  );
}

/** What the limits are called, also where there is little room. */
export const LIMITS: Record<Limit['of'], { label: string; short: string; help: string }> = {
  heap: {
    label: key('JavaScript heap'),
    short: key('Heap'),
    help: key(
      'Memory of the JavaScript objects of the process. When it is used up, the process ends (--max-old-space-size).',
    ),
  },
  container: {
    label: key('Memory of the container'),
    short: key('Container memory'),
    help: key('When it is used up, the engine ends the process.'),
  },
  machine: {
    label: key('Memory of the machine'),
    short: key('Machine memory'),
    help: key('Of all processes of the machine. The container has no limit of its own, or there is no container.'),
  },
  cpu: {
    label: key('CPU'),
    short: key('CPU'),
    help: key('Processors that the process keeps busy, of those that it may use.'),
  },
};

function Limits({ usage }: { usage: EnvironmentDetails['usage'] }) {
  const t = useT();
  const { token } = theme.useToken();
  const { danger, link } = readableColors(token);
  if (!usage) return <Secondary>{t('Its limits are not known: its Worker does not report them now.')}</Secondary>;
  return (
    <Flex gap="8px 32px" wrap data-testid="environment-limits">
      {limitsOf(usage).map(({ of, used, limit, share, isNear }) => {
        const { show } = of === 'cpu' ? LOAD.cpu : LOAD.memory;
        const label = t(LIMITS[of].label);
        return (
          <div key={of} style={{ flex: '1 1 200px', minWidth: 0 }}>
            <Flex justify="space-between" gap="small">
              <Secondary>
                <Term help={t(LIMITS[of].help)}>{label}</Term>
              </Secondary>
              <span>{t('{{used}} of {{limit}}', { used: show(used, t), limit: show(limit, t) })}</span>
            </Flex>
            <Progress
              percent={Math.min(100, share)}
              size="small"
              strokeColor={isNear ? danger : link}
              format={() => `${share} %`}
              aria-label={label}
            />
          </div>
        );
      })}
      {!usage.container && (
        <div style={{ flexBasis: '100%' }}>
          <Secondary>{t('No limit for a container is known.')}</Secondary>
        </div>
      )}
    </Flex>
  );
}
