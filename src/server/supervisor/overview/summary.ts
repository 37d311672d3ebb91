import { domainStateOf } from '../../../shared/domain-check';
import type { DoorSummary, EnvironmentSummary, FleetSummary } from '../../../shared/summary';
import { worstOf } from '../../../shared/words';
import type { Clock } from '../../clock';
import { isAlive } from '../../protocol/health';
import type { AppDefinition } from '../definitions/repository';
import type { DoorTrouble, SeenDoor } from '../fleet/door-troubles';
import type { FleetView, FleetViewOptions } from '../fleet/view';
import { warningsOf } from '../fleet/warnings';
import type { Moves } from '../placement/moves';
import { type AttentionApp, attentionOf } from './attention';
import { type ProblemApp, problemsOf } from './problems';

export interface SummaryOptions extends FleetViewOptions {
  view: FleetView;
  moves: Moves;
  clock: Clock;
  /** What is wrong with doors. */
  doorTroubles(): DoorTrouble[];
  /** Number of red rows of the security checklist. */
  redRows(): number;
}

/** How long the number of red rows is taken for current, in ms. */
const CHECKLIST_AGE = 30_000;

interface Looked extends ProblemApp {
  app: AppDefinition;
}

/** Everything that the Overview shows, from memory, as of now. */
export class Summary {
  private red: { at: number; rows: number } | null = null;

  constructor(private readonly options: SummaryOptions) {}

  get(): FleetSummary {
    const { appCache, active, view, moves, doors, doorTroubles, clock } = this.options;
    const { wall } = clock.now();
    const statusIn = view.judge();
    const apps = [...appCache.apps.values()].map((app) => ({
      app,
      statuses: view.statusesOf(app, statusIn),
      operation: active.of(app.uid)[0] ?? null,
    }));
    const environments = this.environmentFacts();
    const facts = {
      environments,
      apps,
      doors: doorTroubles(),
      placeFor: (environment: string) => moves.bestPlace([environment]),
    };
    return {
      at: wall,
      total: apps.length,
      counts: countsOf(apps),
      problems: problemsOf(facts, wall),
      attention: attentionOf(
        apps.map((each) => this.attentionApp(each)),
        this.redRows(),
        wall,
      ),
      environments: this.environments(apps, environments),
      doors: (doors?.all() ?? []).map(doorSummary),
    };
  }

  private environmentFacts() {
    const { environmentCache, observer } = this.options;
    return environmentCache.names().map((name) => {
      const view = observer.environment(name);
      const health = view?.health ?? ('unknown' as const);
      const since = view?.since ?? environmentCache.get(name)?.lastSeenAt ?? 0;
      const lease = isAlive(health) ? (view?.lease ?? null) : null;
      return { name, health, since, lease, warnings: warningsOf(name, this.options) };
    });
  }

  private attentionApp({ app, statuses }: Looked): AttentionApp {
    const { observer, environmentCache } = this.options;
    const entries = observer.reportsOf(app).map(({ entry }) => entry);
    const used = observer.lastVisitOf(app) ?? 0;
    const running = statuses.flatMap(([, { status, since }]) => (status === 'running' ? [since] : []));
    const versions = app.environments.map((name) => environmentCache.registrationOf(name)?.appVersion ?? '');
    return {
      name: app.name,
      title: app.title,
      statuses: statuses.map(([, { status }]) => status),
      version: entries.find(({ version }) => version)?.version ?? null,
      environmentVersions: versions,
      isDomainUnverified: (domainStateOf(app)?.state ?? 'verified') !== 'verified',
      lastUsedAt: running.length ? Math.max(used, ...running) : null,
    };
  }

  private environments(
    looked: readonly Looked[],
    facts: ReturnType<Summary['environmentFacts']>,
  ): EnvironmentSummary[] {
    const { environmentCache } = this.options;
    const counts = new Map<string, EnvironmentSummary['apps']>(facts.map(({ name }) => [name, {}]));
    for (const { statuses } of looked) {
      for (const [environment, { status }] of statuses) {
        const count = counts.get(environment);
        if (count) count[status] = (count[status] ?? 0) + 1;
      }
    }
    return facts.map(({ name, health, since, lease }) => ({
      name,
      health,
      since,
      cordoned: environmentCache.get(name)?.cordoned ?? false,
      memory: lease?.memory ?? null,
      eventLoopDelay: lease?.eventLoopDelay ?? null,
      apps: counts.get(name) ?? {},
    }));
  }

  /** The checklist looks at every app. */
  private redRows(): number {
    const { clock, redRows } = this.options;
    const { mono } = clock.now();
    if (!this.red || mono - this.red.at > CHECKLIST_AGE) this.red = { at: mono, rows: redRows() };
    return this.red.rows;
  }
}

const doorSummary = ({ report, rates, isSilent, seenAt }: SeenDoor): DoorSummary => ({
  id: report.id,
  version: report.version,
  haproxy: report.haproxy,
  isSilent,
  seenAt,
  requests: rates?.requests ?? null,
  errors: rates?.errors ?? null,
  sockets: report.sockets,
  tableAge: report.table?.age ?? null,
});

function countsOf(looked: readonly Looked[]): FleetSummary['counts'] {
  const counts: FleetSummary['counts'] = {};
  for (const { app, statuses } of looked) {
    const status = worstOf(app.environments.length ? statuses.map(([, shown]) => shown.status) : []);
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
}
