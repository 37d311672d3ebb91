import type { Application } from '@nocobase/server';
import { clientPathsOf } from '../../../shared/client-paths';
import type { Timer } from '../../clock';
import type { ActiveConfig, LocalConfig } from '../../config';
import {
  basePath,
  createSsoFront,
  hostnameOf,
  peerOf,
  type RoutingTable,
  type SsoFront,
  trustOf,
  VIA,
  visitorAddress,
} from '../../proxy';
import type { AppDefinition } from '../../supervisor/definitions/repository';
import { SsoEnds } from '../../supervisor/sso/ends';
import type { Creation } from '../../supervisor/sso/vouching';
import type { SupervisorPart } from '../../supervisor/supervisor';
import { SsoSessions } from '../../worker/sso/sessions';
import type { WorkerPart } from '../../worker/worker';
import type { AppModel } from '../adapters/managed';
import type { Foundation } from '../foundation';
import { offerSso } from './hosted';
import { vouchForUsers } from './main';

/** Sign-in to apps by the main app, assembled for each role (docs/app-sso.md). */

/** Interval of comparing the store with the database, in ms. */
const COMPARE = 30_000;

const pathsOf = ({ host }: ActiveConfig) => ({
  apiBase: basePath(host.apiBasePath),
  ...clientPathsOf(host),
});

const trustsOf = ({ trustedProxies }: ActiveConfig) => trustOf(trustedProxies, () => undefined); // the proxy names what it does not know

/** The main app of a fleet, which vouches for its users. */
export class MainSso {
  private readonly ends: SsoEnds;
  private timer: Timer | null = null;
  /** Ends can be written from then on. */
  private isFleetKnown = false;

  constructor(
    private readonly config: ActiveConfig,
    private readonly foundation: Foundation,
    private readonly supervisor: SupervisorPart,
    private readonly table: RoutingTable,
  ) {
    const { wire, mainApp, clock, log } = foundation;
    const main = () => mainApp.writable ?? undefined;
    this.ends = new SsoEnds({ store: wire.stores.sso, main, fleet: () => supervisor.fleet, clock, log });
    wire.stores.returns.listen(() => this.ends.noteReturned());
    supervisor.changes.listen(() => {
      if (this.isFleetKnown || supervisor.fleet === '') return;
      this.isFleetKnown = true;
      void this.ends.publish();
    });
  }

  /** @param isReady where apps run in this process: as in `SsoOptions` */
  front(isReady?: (app: string) => boolean): SsoFront {
    const { config, table } = this;
    return createSsoFront({
      ...pathsOf(config),
      table,
      trusts: trustsOf(config),
      publicUrl: config.publicUrl,
      isReady,
    });
  }

  /** Called for each start of the main app. */
  install(main: Application): void {
    const { config, supervisor, ends, foundation } = this;
    const { wire, clock, log } = foundation;
    const trusts = trustsOf(config);
    foundation.signUp.watch(main);
    vouchForUsers(main, {
      store: wire.stores.sso,
      ends,
      app: (name) => supervisor.app(name),
      creationOf: (app) => this.creationOf(app),
      fleet: () => supervisor.fleet,
      ownHosts: (name) => this.signInHosts(name),
      publicUrl: config.publicUrl,
      appsDomain: config.appsDomain,
      paths: pathsOf(config),
      record: (app, user, { req }) => {
        const peer = peerOf(req.socket, trusts);
        const address = visitorAddress(req.headers['x-forwarded-for'], peer, trusts) ?? peer.address;
        if (supervisor.loaded) void supervisor.parts.journal.ofSignIn(app, user, address);
      },
      clock,
      log,
    });
  }

  /** The main app runs, and its database can be read. */
  start(): void {
    void this.ends.publish();
    this.timer ??= this.foundation.clock.interval(COMPARE, () => this.compare());
  }

  private compare(): void {
    void this.ends.publish();
    const main = this.foundation.mainApp.writable;
    if (main) void this.foundation.signUp.check(main);
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  /** The newest one: another operator may have repeated it. */
  private async creationOf({ uid }: AppDefinition): Promise<Creation | null> {
    const filter = { appUid: uid, action: { $in: ['create', 'adopt', 'restore'] } };
    const [[newest]] = await this.supervisor.parts.operations.page(filter, ['-createdAt'], 1, 1);
    return newest?.action === 'create' ? { by: newest.createdById, at: newest.createdAt } : null;
  }

  private signInHosts(name: string): string[] {
    const app = this.table.app(name);
    return app ? this.table.signInHostsOf(app) : [];
  }
}

/** The apps of this process, which sign users of the main app in. */
export class HostedSso {
  private readonly sessions: SsoSessions;

  constructor(
    private readonly config: ActiveConfig | LocalConfig,
    private readonly foundation: Foundation,
    private readonly worker: WorkerPart,
    private readonly models: () => AppModel[],
  ) {
    const { wire, coreApps, clock, random, log } = foundation;
    const running = () => coreApps.subApps().filter(({ name }) => worker.host.isRunning(name));
    this.sessions = new SsoSessions({ store: wire.stores.sso, running, clock, random, log });
  }

  /** Called for each app that is created in this process. */
  offer(app: Application): void {
    const { config, foundation, worker, sessions } = this;
    const { wire, clock, log } = foundation;
    app.on('afterLoad', () =>
      offerSso(app, {
        store: wire.stores.sso,
        sessions,
        recordOf: (name) => worker.controller?.apps.record(name) ?? undefined,
        canStart: (headers) => config.part === 'local' || headers[VIA] !== undefined,
        isOwnHost: (name, host) =>
          this.models()
            .find((model) => model.name === name)
            ?.hosts.includes(hostnameOf(host)) ?? false,
        paths: pathsOf(config),
        clock,
        log,
      }),
    );
  }

  /** Whether an app runs here; starts one that waits for its first visit. */
  isReady(name: string): boolean {
    if (this.worker.host.isRunning(name)) return true;
    this.worker.visit(name);
    return false;
  }

  start(): void {
    this.sessions.start();
  }

  stop(): void {
    this.sessions.stop();
  }
}
