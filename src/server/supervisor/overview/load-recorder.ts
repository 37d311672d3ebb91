import type { FleetLoad } from '../../../shared/summary';
import type { Clock } from '../../clock';
import type { TrafficCount } from '../../observability/traffic';
import { isAlive } from '../../protocol/health';
import type { Leadership } from '../control/leader';
import type { EnvironmentCache } from '../fleet/environment-cache';
import type { FleetObserver } from '../fleet/observer';
import type { EnvironmentRegistry } from '../fleet/registry';
import { LOAD_STEP, LoadHistory } from './load-history';

export interface LoadRecorderOptions {
  observer: FleetObserver;
  environmentCache: EnvironmentCache;
  registry: EnvironmentRegistry;
  leadership: Leadership;
  clock: Clock;
  /** Requests since this process started, by environment. */
  traffic(): ReadonlyMap<string, TrafficCount>;
}

/** Records the load of each environment, and stores it coarsely, so that a restart does not lose it. */
export class LoadRecorder {
  private readonly history = new LoadHistory();
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
      const load = { memory: lease?.memory ?? null, delay: lease?.eventLoopDelay ?? null };
      this.history.add(name, { ...load, requests: rate('requests'), errors: rate('errors') }, wall);
    }
    this.history.keep(names);
    this.last = { mono, counts };
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

  load(): FleetLoad {
    const { environmentCache, clock } = this.options;
    const now = clock.now().wall;
    return {
      step: LOAD_STEP,
      end: Math.floor(now / LOAD_STEP) * LOAD_STEP,
      environments: environmentCache.names().map((name) => this.history.of(name, now)),
    };
  }
}
