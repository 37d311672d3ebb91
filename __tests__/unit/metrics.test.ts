import { Telemetry } from '@nocobase/telemetry';
import { AggregationTemporality, type DataPoint, type Histogram, MetricReader } from '@opentelemetry/sdk-metrics';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Metrics, type Sources } from '../../src/server/observability/metrics';

class Reader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE });
  }
  protected async onForceFlush() {}
  protected async onShutdown() {}
}

const SOURCES: Sources = {
  proxy: () => [{ environment: 'env_a', inFlight: 2, webSockets: 3 }],
  environments: () => [
    { name: 'env_a', health: 'online', apps: { running: 4, stopped: 1 } },
    { name: 'env_b', health: 'online', apps: {} },
    { name: 'env_c', health: 'down', apps: { unknown: 1 } },
  ],
};

/** NocoBase's telemetry as one start of the main app makes it. */
function startTelemetry() {
  const reader = new Reader();
  const telemetry = new Telemetry({ serviceName: 'nocobase', appName: 'main', metric: { readerName: 'test' } });
  telemetry.metric.registerReader('test', () => reader);
  telemetry.init();
  telemetry.start();
  return { telemetry, reader };
}

let metrics: Metrics;
let running: ReturnType<typeof startTelemetry>;

beforeEach(() => {
  metrics = new Metrics();
  running = startTelemetry();
  metrics.install(running.telemetry.metric.getMeter('app-supervisor'), SOURCES);
});
afterEach(() => running.telemetry.shutdown());

/** `environment=env_a,result=2xx 3` for each data point. */
async function told(name: string): Promise<string[]> {
  const points = await pointsOf<number>(name);
  return points.map(({ attributes, value }) => {
    const labels = Object.entries(attributes).map(([label, text]) => `${label}=${text}`);
    return `${labels.join(',')} ${value}`;
  });
}

async function pointsOf<T>(name: string): Promise<Array<DataPoint<T>>> {
  const { resourceMetrics, errors } = await running.reader.collect();
  expect(errors).toEqual([]);
  const all = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics);
  return (all.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? []) as Array<DataPoint<T>>;
}

describe('exported metrics', () => {
  it('requests by environment and result', async () => {
    metrics.request('env_a', '2xx', 3);
    metrics.request('env_a', '2xx', 4);
    metrics.request('env_a', 'UPSTREAM_TIMEOUT', null);
    metrics.request('', 'APP_NOT_FOUND', null);
    expect(await told('app_supervisor.proxy.requests')).toEqual([
      'environment=env_a,result=2xx 2',
      'environment=env_a,result=UPSTREAM_TIMEOUT 1',
      'environment=,result=APP_NOT_FOUND 1',
    ]);
  });

  it('the duration of proxied answers only, in seconds', async () => {
    metrics.request('env_a', '2xx', 3);
    metrics.request('env_a', '5xx', 300);
    metrics.request('env_a', 'ABORTED', null);
    const [point] = await pointsOf<Histogram>('app_supervisor.proxy.duration');
    expect(point.attributes).toEqual({ environment: 'env_a' });
    expect(point.value).toMatchObject({ count: 2, min: 0.003, max: 0.3 });
    expect(point.value.buckets.counts[2]).toBe(1); // above 2.5 ms, up to 5 ms
  });

  it('currently open requests and WebSockets', async () => {
    expect(await told('app_supervisor.proxy.active_requests')).toEqual(['environment=env_a 2']);
    expect(await told('app_supervisor.proxy.websockets')).toEqual(['environment=env_a 3']);
  });

  it('operations by action and result', async () => {
    metrics.operation('create', 'succeeded');
    metrics.operation('create', 'failed');
    metrics.operation('create', 'failed');
    expect(await told('app_supervisor.operations')).toEqual([
      'action=create,result=succeeded 1',
      'action=create,result=failed 2',
    ]);
  });

  it('what was not believed, by reason', async () => {
    metrics.refusal('forged');
    metrics.refusal('forged');
    expect(await told('app_supervisor.refusals')).toEqual(['reason=forged 2']);
  });

  it('what a limit refused, by app and limit', async () => {
    metrics.limited('crm', 'requests_per_app');
    metrics.limited('crm', 'requests_per_app');
    metrics.limited('crm', 'wakes_per_address');
    metrics.limited('', 'headers');
    expect(await told('app_supervisor.proxy.limited')).toEqual([
      'app=crm,limit=requests_per_app 2',
      'app=crm,limit=wakes_per_address 1',
      'app=,limit=headers 1',
    ]);
  });

  it('environments by health, apps by environment and status, as the environment list counts them (#7772)', async () => {
    expect(await told('app_supervisor.environments')).toEqual(['health=online 2', 'health=down 1']);
    expect(await told('app_supervisor.apps')).toEqual([
      'environment=env_a,status=running 4',
      'environment=env_a,status=stopped 1',
      'environment=env_c,status=unknown 1',
    ]);
  });
});

it('nothing is lost, and nothing exported twice, when the main app restarts with a new telemetry', async () => {
  for (let i = 0; i < 5; i++) metrics.request('env_a', '2xx', 1);
  expect(await told('app_supervisor.proxy.requests')).toEqual(['environment=env_a,result=2xx 5']);
  await running.telemetry.shutdown();
  metrics.request('env_a', '2xx', 1);
  running = startTelemetry();
  metrics.install(running.telemetry.metric.getMeter('app-supervisor'), SOURCES);
  metrics.request('env_a', '2xx', 1);
  expect(await told('app_supervisor.proxy.requests')).toEqual(['environment=env_a,result=2xx 2']);
});

it('nothing is kept while telemetry is off', async () => {
  metrics.install(null, SOURCES);
  metrics.request('env_a', '2xx', 1);
  metrics.operation('create', 'succeeded');
  metrics.install(running.telemetry.metric.getMeter('app-supervisor'), SOURCES);
  expect(await told('app_supervisor.proxy.requests')).toEqual([]);
  expect(await told('app_supervisor.operations')).toEqual([]);
});
