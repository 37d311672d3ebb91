import { setTimeout as sleep } from 'node:timers/promises';
import { keyringOf, testEnvelope } from '../../__tests__/support/envelope';
import { SimulatedWorker } from '../../__tests__/support/simulated-worker';
import { type Fleet, waitFor } from '../../scripts/fleet';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { createLog } from '../../src/server/log';
import { RedisBus } from '../../src/server/protocol/bus/redis';
import { Keys } from '../../src/server/protocol/redis-keys';
import type { Status } from '../../src/shared/types';
import { appName, environmentsOf, type Size, writeApps } from '../scale/data';

const SIZE: Size = { environments: 50, apps: 1_000, spread: 1 };
/** Workers look for records this seldom, in ms: they share two cores with the browser. */
const ROUND = 5_000;

/** A change that a Worker has reported. */
export interface Change {
  app: string;
  environment: string;
  status: Status;
  /** In ms since 1970. */
  at: number;
}

/** Writes 1,000 apps, and waits until the Supervisor shows them running in 50 environments. */
export async function makeFleet(fleet: Fleet): Promise<Changes> {
  await writeApps(fleet.postgresServer, fleet.supervisor.database, SIZE);
  const workers = environmentsOf(SIZE).map((name) => SimulatedWorker.of(fleet, name, { round: ROUND }));
  const bus = busOf(fleet);
  for (const worker of workers) {
    worker.announce = () => bus.notify('supervisors', []);
    await worker.appear();
    worker.obey();
  }
  const api = await fleet.supervisor.signIn();
  const isRunning = async () => (await api.get('appFleet:summary')).data.counts.running === SIZE.apps;
  await waitFor(isRunning, { timeout: 180_000, interval: 1_000, what: 'That all apps run' });
  return new Changes(workers, bus);
}

/** By which Workers tell the Supervisor that they have reported something. */
function busOf(fleet: Fleet): RedisBus {
  const env = fleet.supervisor.env as Record<string, string>;
  const { APP_SUPERVISOR_REDIS_URL, APP_SUPERVISOR_KEY_PREFIX = 'app-supervisor', APP_SUPERVISOR_AES_SECRET_KEY } = env;
  const silent = createLog({ debug() {}, info() {}, warn() {}, error() {} });
  const envelope = testEnvelope(silent, keyringOf(Buffer.from(APP_SUPERVISOR_AES_SECRET_KEY, 'hex')));
  const keys = new Keys(APP_SUPERVISOR_KEY_PREFIX);
  const bus = new RedisBus(APP_SUPERVISOR_REDIS_URL, keys, envelope, 'bench', silent, systemClock, systemRandom);
  bus.open();
  return bus;
}

/** Has Workers report changes of apps. */
export class Changes {
  readonly names = Array.from({ length: SIZE.apps }, (_, i) => appName(i + 1));
  private readonly statuses = new Map<string, Status>();

  constructor(
    private readonly workers: SimulatedWorker[],
    private readonly bus: RedisBus,
  ) {}

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
      changes.push({ app, environment: worker.environment, status, at: Date.now() });
      told.push(worker.tell());
    }
    await Promise.all(told);
    return changes;
  }

  async end(): Promise<void> {
    await Promise.all(this.workers.map((worker) => worker.die()));
    await this.bus.close();
  }

  private workerOf(app: string): SimulatedWorker {
    const number = Number(app.replace(/\D/g, ''));
    const environment = `env_${String(((number + 1) % SIZE.environments) + 1).padStart(3, '0')}`;
    return this.workers.find((worker) => worker.environment === environment) as SimulatedWorker;
  }
}
