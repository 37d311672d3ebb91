import type { Application } from '@nocobase/server';
import type { EnvironmentRow } from '../../shared/types';
import { AppTraffic } from './app-traffic';
import { Traffic } from './traffic';

/** Counts requests. It is called once for each request, so it must be cheap and must not throw. */
export interface ProxyMetrics {
  /**
   * @param environment empty if none was chosen
   * @param result `1xx` to `5xx` from the worker, `ABORTED`, or the code of the proxy's own answer
   * @param ms until a worker's answer to an HTTP request began; null for everything else
   * @param app left out if it was not looked up, or there is none of this name
   */
  request(environment: string, result: string, ms: number | null, app?: string): void;
  /**
   * Counts a request or a WebSocket that a limit has refused.
   * @param app empty if it was refused before the app was looked up
   */
  limited(app: string, limit: LimitName): void;
}

/** By the names of their environment variables, as far as there is one for each. */
export type LimitName =
  | 'requests_per_app'
  | 'requests_per_environment'
  | 'websockets_per_app'
  | 'websockets_per_address'
  | 'websocket_message'
  | 'websocket_messages'
  | 'sign_ins_per_address'
  | 'wakes_per_address'
  | 'headers'
  | 'anonymous_body'
  | 'anonymous_upload'
  | 'body_silence';

export interface ProxyStats {
  environment: string;
  inFlight: number;
  webSockets: number;
}

/** Of NocoBase's own telemetry, if it is on (`TELEMETRY_ENABLED=on`). */
export type Meter = NonNullable<ReturnType<Application['telemetry']['metric']['getMeter']>>;

/** Read at each collection. */
export interface Sources {
  /** Empty for a role without a proxy. */
  proxy(): ProxyStats[];
  /** Empty while definitions have not been loaded. */
  environments(): Array<Pick<EnvironmentRow, 'health' | 'name' | 'apps'>>;
}

/** The histogram's bounds, in seconds: from the cost of the proxy itself to the time after which visitors give up. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/**
 * Counters of this process, exported through NocoBase's telemetry; docs/observability.md has names and meanings.
 *
 * The counters are kept here and only read at a collection: the SDK's own would hash their attributes for every
 * request, and would lose what happens while the main app restarts.
 */
export class Metrics implements ProxyMetrics {
  /** Counted whether telemetry is on or not: the Overview shows it. */
  readonly traffic = new Traffic();
  /** The same for the pages of apps. */
  readonly appTraffic = new AppTraffic();
  private on = false;
  private latency: ReturnType<Meter['createHistogram']> | null = null;
  private readonly requests = new Counts();
  private readonly operations = new Counts();
  private readonly refusals = new Counts();
  private readonly limits = new Counts();

  /**
   * @param meter null while telemetry is off; called again after each start of the main app, which creates a new one
   */
  install(meter: Meter | null, sources: Sources): void {
    this.on = meter !== null;
    this.latency = null;
    this.requests.resetExported();
    this.operations.resetExported();
    this.refusals.resetExported();
    this.limits.resetExported();
    if (!meter) return;
    this.latency = meter.createHistogram('app_supervisor.proxy.duration', {
      description: 'Time until a proxied answer began',
      unit: 's',
      advice: { explicitBucketBoundaries: BOUNDS },
    });
    meter
      .createObservableCounter('app_supervisor.proxy.requests', { description: 'Requests that came to the proxy' })
      .addCallback((result) => {
        for (const [environment, answer, count] of this.requests) {
          result.observe(count, { environment, result: answer });
        }
      });
    meter
      .createObservableUpDownCounter('app_supervisor.proxy.active_requests', {
        description: 'Proxied requests under way',
      })
      .addCallback((result) => {
        for (const { environment, inFlight } of sources.proxy()) result.observe(inFlight, { environment });
      });
    meter
      .createObservableUpDownCounter('app_supervisor.proxy.websockets', { description: 'Open proxied WebSockets' })
      .addCallback((result) => {
        for (const { environment, webSockets } of sources.proxy()) result.observe(webSockets, { environment });
      });
    meter
      .createObservableCounter('app_supervisor.operations', { description: 'Operations that this process ended' })
      .addCallback((result) => {
        for (const [action, state, count] of this.operations) result.observe(count, { action, result: state });
      });
    meter
      .createObservableCounter('app_supervisor.refusals', { description: 'Values in Redis that were not believed' })
      .addCallback((result) => {
        for (const [reason, , count] of this.refusals) result.observe(count, { reason });
      });
    meter
      .createObservableCounter('app_supervisor.proxy.limited', { description: 'Requests that a limit refused' })
      .addCallback((result) => {
        for (const [app, limit, count] of this.limits) result.observe(count, { app, limit });
      });
    meter
      .createObservableGauge('app_supervisor.environments', { description: 'Environments by health' })
      .addCallback((result) => {
        const byHealth = new Map<string, number>();
        for (const { health } of sources.environments()) byHealth.set(health, (byHealth.get(health) ?? 0) + 1);
        for (const [health, count] of byHealth) result.observe(count, { health });
      });
    meter
      .createObservableGauge('app_supervisor.apps', { description: 'Apps by environment and status' })
      .addCallback((result) => {
        for (const { name, apps } of sources.environments()) {
          for (const [status, count] of Object.entries(apps)) result.observe(count, { environment: name, status });
        }
      });
  }

  request(environment: string, result: string, ms: number | null, app = ''): void {
    this.traffic.note(environment, result);
    this.appTraffic.note(app, result, ms);
    if (!this.on) return;
    this.requests.add(environment, result);
    if (ms !== null) this.latency?.record(ms / 1_000, { environment });
  }

  /**
   * Adds what a door has counted of requests that it took to Workers itself.
   * @param apps by name
   * @param environments answers by their first digit from 1 to 5, and requests without an answer
   * @param isExported whether this process exports them: one of all Supervisors does
   */
  door(
    apps: ReadonlyMap<string, { requests: number; errors: number }>,
    environments: ReadonlyMap<string, readonly number[]>,
    isExported: boolean,
  ): void {
    for (const [app, { requests, errors }] of apps) this.appTraffic.add(app, requests, errors);
    for (const [environment, answers] of environments) {
      const [failed, none] = answers.slice(4);
      this.traffic.add(
        environment,
        answers.reduce((sum, count) => sum + count, 0),
        failed + none,
      );
      if (!this.on || !isExported) continue;
      for (const [i, count] of answers.entries())
        this.requests.add(environment, i < 5 ? `${i + 1}xx` : 'DOOR_UNANSWERED', count);
    }
  }

  limited(app: string, limit: LimitName): void {
    if (this.on) this.limits.add(app, limit);
  }

  /** Counts a value in Redis that was not believed. */
  refusal(reason: string): void {
    if (this.on) this.refusals.add(reason, '');
  }

  /** Counts a finished operation. */
  operation(action: string, state: string): void {
    if (this.on) this.operations.add(action, state);
  }
}

interface Count {
  value: number;
  /** The part that previous collections have exported. */
  exported: number;
}

/** Counters with two attributes each. */
class Counts {
  private readonly byFirst = new Map<string, Map<string, Count>>();

  add(first: string, second: string, by = 1): void {
    if (!by) return;
    let bySecond = this.byFirst.get(first);
    if (!bySecond) {
      bySecond = new Map();
      this.byFirst.set(first, bySecond);
    }
    const count = bySecond.get(second);
    if (count) count.value += by;
    else bySecond.set(second, { value: by, exported: 0 });
  }

  /** For collectors. */
  *[Symbol.iterator](): Generator<[string, string, number]> {
    for (const [first, bySecond] of this.byFirst) {
      for (const [second, count] of bySecond) {
        count.exported = count.value;
        yield [first, second, count.value];
      }
    }
  }

  /** For a collector that does not know what its predecessor exported: one that adds differences would add it twice. */
  resetExported(): void {
    for (const bySecond of this.byFirst.values()) {
      for (const count of bySecond.values()) {
        count.value -= count.exported;
        count.exported = 0;
      }
    }
  }
}
