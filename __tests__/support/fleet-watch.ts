import type { SmallFleet, SupervisorProcess, WorkerProcess } from './small-fleet';

/** How often it looks, in ms. */
const EVERY = 20;

/** Looks at a small fleet all the time, and remembers what must never be. */
export class FleetWatch {
  /** What was shown of each environment and of each app, in the order of time. */
  readonly shown = new Map<string, string[]>();
  /** The same with times, for people. */
  readonly story: string[] = [];
  private readonly begun = performance.now();
  private readonly wrong = new Set<string>();
  private readonly timer: NodeJS.Timeout;
  private readonly owners: Set<string>;

  /** @param workers all processes that may hold an environment */
  constructor(
    private readonly fleet: SmallFleet,
    private readonly supervisor: SupervisorProcess,
    private readonly workers: () => WorkerProcess[],
    private readonly apps: string[],
  ) {
    this.owners = new Set(fleet.databases.owners.keys());
    this.timer = setInterval(() => this.look(), EVERY);
  }

  /** What was shown and done although it never may. */
  end(): string[] {
    clearInterval(this.timer);
    this.look();
    const dropped = [...this.owners].filter((place) => !this.fleet.databases.owners.has(place));
    return [...this.wrong, ...this.fleet.databases.overlaps, ...dropped.map((place) => `${place} was dropped`)];
  }

  private look(): void {
    const living = this.workers().filter(({ alive }) => alive);
    for (const { environment } of living) {
      const processes = living.filter((worker) => worker.environment === environment);
      const holders = processes.filter(({ role }) => role === 'holder' || role === 'holding' || role === 'alone');
      if (holders.length > 1) this.wrong.add(`${environment} is held ${holders.length} times`);
      const runs = processes.flatMap(({ runs }) => runs);
      if (new Set(runs).size < runs.length) this.wrong.add(`${environment} runs an app twice`);
      const health = this.supervisor.health(environment) ?? 'nothing';
      this.note(environment, health);
      if (health === 'down') this.wrong.add(`${environment} was shown down`);
    }
    for (const app of this.apps) this.note(app, this.supervisor.shows(app));
  }

  private note(of: string, what: string): void {
    const all = this.shown.get(of) ?? [];
    if (all.at(-1) === what) return;
    all.push(what);
    this.story.push(`${((performance.now() - this.begun) / 1000).toFixed(1)} s ${of}: ${what}`);
    this.shown.set(of, all);
  }
}
