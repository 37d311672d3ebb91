import type { AppLoad, FleetLoad } from '../../../shared/summary';
import type { Clock } from '../../clock';
import type { AppTrafficCount } from '../../observability/app-traffic';
import type { TrafficCount } from '../../observability/traffic';
import { isAlive } from '../../protocol/health';
import type { Leadership } from '../control/leader';
import type { AppCache } from '../definitions/app-cache';
import type { EnvironmentRegistry } from '../definitions/environment-registry';
import type { AppDefinition } from '../definitions/repository';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetObserver } from '../fleet/observer';
import { AppLoadHistory } from './app-load-history';
import { LoadHistory } from './load-history';
import { LOAD_STEP, slotOf } from './series-history';

export interface LoadRecorderOptions {
  appCache: AppCache;
  observer: FleetObserver;
  environmentCache: EnvironmentCache;
  registry: EnvironmentRegistry;
  leadership: Leadership;
  clock: Clock;
  /** Requests since this process started, by environment. */
  traffic(): ReadonlyMap<string, TrafficCount>;
  /** Requests of each app since the last call, by the app's name; null if this process proxies none. */
  appTraffic: (() => ReadonlyMap<string, AppTrafficCount>) | null;
}

/** Records the load of each environment, and stores it coarsely, so that a restart does not lose it. */
export class LoadRecorder {
  private readonly history = new LoadHistory();
  private readonly apps = new AppLoadHistory();
  /** Requests when the last sample was taken. */
  private last: { mono: number; counts: Map<string, TrafficCount> } | null = null;

  constructor(private readonly options: LoadRecorderOptions) {}

  /** Reads what was stored. */
  restore(): void {
    const { environmentCache, clock } = this.options;
    for (const { name, load } of environmentCache.all()) if (load) this.history.restore(name, load, clock.now().wall);
  }

  /** Takes one sample of each environment. */
  sample(): void {
    const { observer, environmentCache, clock, traffic } = this.options;
    const { wall, mono } = clock.now();
    const counts = new Map([...traffic()].map(([name, count]) => [name, { ...count }]));
    const names = environmentCache.names();
    for (const name of names) {
      const view = observer.environment(name);
      const lease = view && isAlive(view.health) ? view.lease : null;
      const rate = (what: keyof TrafficCount): number | null => {
        if (!this.last) return null;
        const [now, before] = [counts.get(name)?.[what] ?? 0, this.last.counts.get(name)?.[what] ?? 0];
        return ((now - before) * 1_000) / Math.max(1, mono - this.last.mono);
      };
      const { memory = null, eventLoopDelay: delay = null, usage } = lease ?? {};
      const load = { memory, delay, cpu: usage?.cpu.used ?? null };
      this.history.add(name, { ...load, requests: rate('requests'), errors: rate('errors') }, wall);
    }
    this.history.keep((name) => names.includes(name));
    this.sampleApps(wall, mono);
    this.last = { mono, counts };
  }

  private sampleApps(wall: number, mono: number): void {
    const { appCache, appTraffic } = this.options;
    if (!appTraffic) return;
    const counts = appTraffic();
    // What came before the first sample is of a time that is not known.
    if (!this.last) return;
    const byUid = [...counts].flatMap(([name, count]): Array<[string, AppTrafficCount]> => {
      const app = appCache.apps.get(name);
      return app ? [[app.uid, count]] : [];
    });
    this.apps.sample(new Map(byUid), mono - this.last.mono, wall);
  }

  /** Stores it; only the leader does. @throws if the database cannot be reached, or the term is over */
  async save(): Promise<void> {
    const { environmentCache, registry, leadership, clock } = this.options;
    if (!leadership.leads) return;
    for (const { name } of environmentCache.all()) {
      const load = this.history.coarse(name, clock.now().wall);
      await leadership.write((transaction) => registry.saveLoad(name, load, transaction));
    }
  }

  /** The last hour of one app; null if its visitors do not come through this process. */
  ofApp({ uid }: AppDefinition): AppLoad | null {
    const { appTraffic, clock } = this.options;
    return appTraffic ? this.apps.of(uid, clock.now().wall) : null;
  }

  load(names = this.options.environmentCache.names()): FleetLoad {
    const now = this.options.clock.now().wall;
    return {
      step: LOAD_STEP,
      end: slotOf(now) * LOAD_STEP,
      environments: names.map((name) => ({ name, ...this.history.of(name, now) })),
    };
  }
}
