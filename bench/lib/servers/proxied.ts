import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { systemClock } from '../../../src/server/clock';
import { systemRandom } from '../../../src/server/core/system';
import { createLog } from '../../../src/server/log';
import { Metrics } from '../../../src/server/observability/metrics';
import { createNaming, createOrigins, createProxy, RoutingTable, trustOf } from '../../../src/server/proxy';

/** The proxy module with one app in one environment. SIGUSR2 turns its metrics on, with a real meter, and off again. */
const { TARGET, APP } = process.env as Record<string, string>;

export const table = new RoutingTable();
table.replaceEnvironments([{ name: 'env_bench', proxyUrl: TARGET, serves: true, health: 'online' }]);
table.replaceApps([
  {
    name: APP,
    cname: null,
    desired: 'running',
    environments: ['env_bench'],
    targetEnvironment: 'env_bench',
    statuses: { get: () => 'running' },
  },
]);
const metrics = new Metrics();
export const appNameOf = createNaming({ apiBasePath: '/api/', publicPath: '/', domains: table });
export const origins = createOrigins({
  table,
  addresses: { publicUrl: null, appsDomain: null },
  publicPath: '/',
  modernPrefix: 'v',
  trusts: trustOf(['loopback'], () => {}),
  frameAncestors: { main: "'self'", apps: '' },
});
export const proxy = createProxy({
  table,
  config: {
    apiBasePath: '/api/',
    wsPath: '/ws',
    publicPath: '/',
    modernPrefix: 'v',
    trustedProxies: ['loopback'],
    // Whatever a load requests.
    appNameOf: () => APP,
    origins,
    mainSecret: () => 'a secret of main',
  },
  clock: systemClock,
  random: systemRandom,
  log: createLog({ debug() {}, info() {}, warn: console.error, error: console.error }),
  metrics,
});
let provider: MeterProvider | null = null;
process.on('SIGUSR2', () => {
  void provider?.shutdown();
  provider = provider ? null : newProvider();
  metrics.install((provider?.getMeter('bench') ?? null) as never, {
    proxy: () => proxy.stats(),
    environments: () => [],
  });
});

function newProvider(): MeterProvider {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  return new MeterProvider({
    readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 })],
  });
}
