import http, { type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { type Fleet, HOST, waitFor } from '../../scripts/fleet';
import { ask } from './http';
import { Manager, statusIn } from './manager';
import { SimulatedWorker } from './simulated-worker';

/**
 * An app that the Supervisor takes to be a Worker's, while a test answers for it: what passes the real front door, and how,
 * can be seen on the other side to the byte.
 */
export class SimulatedApp {
  readonly sockets = new Set<Socket>();
  /** What answers requests of the app. */
  answer: RequestListener = (_req: IncomingMessage, res: ServerResponse) => void res.end('simulated');
  /** What answers upgrades. */
  upgrade: (req: IncomingMessage, socket: Socket, head: Buffer) => void = (_req, socket) => socket.destroy();

  private constructor(
    readonly name: string,
    private readonly manager: Manager,
    private readonly worker: SimulatedWorker,
    private readonly server: http.Server,
  ) {
    server.on('request', (req, res) => this.answer(req, res));
    server.on('upgrade', (req, socket, head) => this.upgrade(req, socket as Socket, head));
    server.on('connection', (socket) => {
      this.sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => this.sockets.delete(socket));
    });
  }

  /** @param name of the app; its environment is `env_` and the name */
  static async begin(fleet: Fleet, name: string, cname: string): Promise<SimulatedApp> {
    const manager = await Manager.of(fleet);
    const environment = `env_${name}`;
    const server = http.createServer();
    // It lives through a boot of the Supervisor.
    const worker = SimulatedWorker.of(fleet, environment, { beat: 60_000 });
    const app = new SimulatedApp(name, manager, worker, server);
    await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
    const { version } = (await manager.api.get('app:getInfo')).data;
    await worker.appear({ url: app.url, proxyUrl: app.url, appVersion: version });
    await manager.untilEnvironment(environment, ({ health }) => health === 'online', { what: 'online' });
    await manager.confirmAddress(environment, app.url);
    await manager.begin('create', { name, cname, environments: [environment] });
    const isRouted = async () => (await ask(fleet.supervisor.url, `/api/__app/${name}/x`)).text === 'simulated';
    await waitFor(isRouted, { timeout: 60_000, what: `A route to ${name}` });
    await worker.report(await worker.record(name), { status: 'running' });
    const isShown = async () => statusIn(await manager.app(name), environment) === 'running';
    await waitFor(isShown, { timeout: 60_000, what: `${name} shown as running` });
    return app;
  }

  get url(): string {
    return `http://${HOST}:${(this.server.address() as AddressInfo).port}`;
  }

  /** Where the Supervisor finds the app from now on. */
  async moveTo(proxyUrl: string): Promise<void> {
    await this.worker.appear({ proxyUrl });
    await this.manager.confirmAddress(`env_${this.name}`, proxyUrl);
    const moved = (row: { proxyUrl: string }) => row.proxyUrl === proxyUrl;
    await this.manager.untilEnvironment(`env_${this.name}`, moved, { what: `at ${proxyUrl}` });
  }

  /** Asks for it, and leaves it at that: nobody is there to confirm it. */
  async wish(action: 'start' | 'stop'): Promise<void> {
    await this.manager.api.post(`apps:${action}?filterByTk=${this.name}`);
  }

  async end(): Promise<void> {
    await this.worker.leave();
    const environment = `env_${this.name}`;
    await this.manager.untilEnvironment(environment, ({ health }) => health === 'down', { what: 'down' });
    await this.manager.api.post(`appEnvironments:forget?filterByTk=${environment}`);
    await this.manager.clear(this.name);
    await this.worker.close();
    this.server.close();
    this.server.closeAllConnections();
    for (const socket of this.sockets) socket.destroy();
  }
}
