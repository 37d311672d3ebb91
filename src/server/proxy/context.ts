import type { Log } from '../log';
import type { Limits } from './limits';
import type { Quarantine } from './quarantine';
import type { RouteEnvironment, RoutingTable } from './table';
import type { Targets } from './targets';
import type { VisitConfig } from './visit';

/** Counts what passes; called once a request, so it must be cheap and must not throw. */
export interface ProxyMetrics {
  /**
   * @param environment empty when none was chosen
   * @param result `1xx` to `5xx` from the worker, `ABORTED`, or the code of the proxy's own answer
   * @param ms until a worker's answer to an HTTP request began; null for everything else
   */
  request(environment: string, result: string, ms: number | null): void;
}

/** What both halves of the proxy share. */
export interface Context {
  table: RoutingTable;
  environmentOf: (name: string) => RouteEnvironment | undefined;
  targets: Targets;
  quarantine: Quarantine;
  config: VisitConfig & { wsPath: string };
  limits: Limits;
  trusts: (address: string) => boolean;
  /** This process's name in the loop header. */
  mark: string;
  /** Monotonic milliseconds. */
  now: () => number;
  log: Log;
  metrics?: ProxyMetrics;
}
