import type { Clock } from '../clock';
import type { Log } from '../log';
import type { ProxyMetrics } from '../observability/metrics';
import type { CookieRules } from './cookies';
import type { Limits } from './limits';
import type { Occupancy } from './occupancy';
import type { Origins } from './origins';
import type { Quarantine } from './quarantine';
import type { References } from './references';
import type { RouteEnvironment, RoutingTable } from './table';
import type { Targets } from './targets';
import type { MainSecret } from './tokens';
import type { VisitConfig } from './visit';

/** Shared by the HTTP and the WebSocket proxy. */
export interface Context {
  table: RoutingTable;
  environmentOf: (name: string) => RouteEnvironment | undefined;
  targets: Targets;
  origins: Origins;
  /** Which cookies pass between visitors and this app. */
  cookiesOf(app: string): CookieRules;
  mainSecret: MainSecret;
  quarantine: Quarantine;
  /** A connection to this environment could not be established. */
  onUnreachable(environment: string): void;
  config: VisitConfig & { wsPath: string };
  limits: Limits;
  occupancy: Occupancy;
  references: References;
  trusts: (address: string) => boolean;
  /** Name of this process in the loop header. */
  mark: string;
  clock: Clock;
  /** Monotonic milliseconds, by the clock. */
  now: () => number;
  log: Log;
  metrics?: ProxyMetrics;
}
