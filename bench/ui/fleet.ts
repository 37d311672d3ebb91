import { setTimeout as sleep } from 'node:timers/promises';
import { SimulatedWorker } from '../../__tests__/support/simulated-worker';
import { type Fleet, waitFor } from '../../scripts/fleet';
import type { Status } from '../../src/shared/types';
import { appName, environmentsOf, type Size, writeApps } from '../scale/data';

const SIZE: Size = { environments: 50, apps: 1_000, spread: 1 };
/** Workers look for records this seldom, in ms: they share two cores with the browser. */
const ROUND = 5_000;

/** A change that a Worker has reported. */
export interface Change {
  app: string;
  status: Status;
  /** In ms since 1970. */
  at: number;
}

/** Writes 1,000 apps, and waits until the Supervisor shows them running in 50 environments. */
export async function makeFleet(fleet: Fleet): Promise<Changes> {
  await writeApps(fleet.postgresServer, fleet.supervisor.database, SIZE);
  const workers = environmentsOf(SIZE).map((name) => SimulatedWorker.of(fleet, name, { round: ROUND }));
  for (const worker of workers) {
    await worker.appear();
    worker.obey();
  }
  const api = await fleet.supervisor.signIn();
  const isRunning = async () => (await api.get('appFleet:summary')).data.counts.running === SIZE.apps;
  await waitFor(isRunning, { timeout: 180_000, interval: 1_000, what: 'That all apps run' });
  return new Changes(workers);
}

/** Has Workers report changes of apps. */
export class Changes {
  readonly names = Array.from({ length: SIZE.apps }, (_, i) => appName(i + 1));
  private readonly statuses = new Map<string, Status>();

  constructor(private readonly workers: SimulatedWorker[]) {}

  /** Changes these apps in turn, so many each second. @param ms how long */
  async arrive(apps: string[], perSecond: number, ms: number): Promise<Change[]> {
    const changes: Change[] = [];
    const begun = performance.now();
    const count = (perSecond * ms) / 1_000;
    const told: Array<Promise<void>> = [];
    for (let i = 0; i < count; i++) {
      await sleep(Math.max(0, begun + (i * 1_000) / perSecond - performance.now()));
      // With a step that leads from one environment to the next.
      const app = apps[(i * 7) % apps.length];
      const status = this.statuses.get(app) === 'commanding' ? 'running' : 'commanding';
      this.statuses.set(app, status);
      const worker = this.workerOf(app);
      worker.setStatus(app, { status, since: Date.now() });
      changes.push({ app, status, at: Date.now() });
      told.push(worker.tell());
    }
    await Promise.all(told);
    return changes;
  }

  async end(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.die()));
  }

  private workerOf(app: string): SimulatedWorker {
    const number = Number(app.replace(/\D/g, ''));
    const environment = `env_${String(((number + 1) % SIZE.environments) + 1).padStart(3, '0')}`;
    return this.workers.find((worker) => worker.environment === environment) as SimulatedWorker;
  }
}
