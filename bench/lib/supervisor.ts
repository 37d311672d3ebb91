import { Manager } from '../../__tests__/support/manager';
import { SimulatedWorker } from '../../__tests__/support/simulated-worker';
import { Fleet, waitForHttp } from '../../scripts/fleet';
import { recorderEnv } from '../../scripts/fleet/process-recorder';
import { terminalProgress } from '../../scripts/fleet/progress';
import type { Contender } from './contenders';
import { Probe } from './probe';
import { takeTheMeasuredCore } from './process';

/** Visitors send as much on their WebSockets as is passed on. */
const TALKATIVE = { APP_SUPERVISOR_MAX_WEBSOCKET_MESSAGE: '16777216' };

/** A fleet whose Supervisor is measured: a real NocoBase, with one real Worker. */
export class MeasuredFleet {
  private readonly simulatedWorkers: SimulatedWorker[] = [];

  private constructor(
    readonly fleet: Fleet,
    readonly manager: Manager,
    /** In its Worker. */
    readonly probe: Probe,
    /** In its Supervisor, if that is profiled, or compared with another one. */
    private readonly profiled: Probe | undefined,
  ) {}

  static async start({ isProfiled = false } = {}): Promise<MeasuredFleet> {
    const name = 'bench';
    const asTheCore = '--preserve-symlinks';
    const probe = await Probe.plan(asTheCore);
    const profiled = isProfiled ? await Probe.plan(asTheCore) : undefined;
    const options = { name, port: 'free', workers: 1, reset: true, durable: false } as const;
    const instanceEnv = {
      env_a: { ...probe.env, ...recorderEnv(name) },
      supervisor: { ...TALKATIVE, ...profiled?.env },
    };
    const fleet = await Fleet.start({ ...options, instanceEnv }, terminalProgress());
    const measured = new MeasuredFleet(fleet, await Manager.of(fleet), probe, profiled);
    takeTheMeasuredCore(fleet.supervisor.pid!);
    return measured;
  }

  get contender(): Contender {
    const { url, pid } = this.fleet.supervisor;
    return { name: 'the Supervisor', url, pid, probe: this.profiled, stop: async () => {} };
  }

  /** Creates an app that the Supervisor routes to a Worker's address, at which the origin answers. */
  async lead(app: string, origin: string): Promise<void> {
    const environment = `env_${app}`;
    const worker = SimulatedWorker.of(this.fleet, environment);
    this.simulatedWorkers.push(worker);
    const { version } = (await this.manager.api.get('app:getInfo')).data;
    await worker.appear({ url: origin, proxyUrl: origin, appVersion: version });
    await this.manager.untilEnvironment(environment, ({ health }) => health === 'online', { what: 'online' });
    await this.manager.confirmAddress(environment, origin);
    await this.manager.begin('create', { name: app, environments: [environment] });
    await waitForHttp(`${this.fleet.supervisor.url}/app?__appName=${app}`, { timeout: 20_000 });
  }

  /** Creates an app that the real Worker hosts. */
  async host(app: string): Promise<void> {
    await this.manager.create({ name: app, environments: ['env_a'], startMode: 'withMain' });
  }

  async stop(): Promise<void> {
    for (const worker of this.simulatedWorkers) await worker.close();
    await this.fleet.stop();
  }
}
