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
let isMeasuring = false;
const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 });
const meter = new MeterProvider({ readers: [reader] }).getMeter('bench');
process.on('SIGUSR2', () => {
  isMeasuring = !isMeasuring;
  metrics.install(isMeasuring ? (meter as never) : null, { proxy: () => proxy.stats(), environments: () => [] });
});
