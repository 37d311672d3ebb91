import type { IncomingMessage, ServerResponse } from 'node:http';
import type { EnvironmentConfig } from '../../config';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { CoreAppRegistry } from '../../nocobase/core-app-registry';
import type { Manifests } from '../manifests';
import { type AppCondition, appsOf, conditionNamespace, type Membership, membership } from './app-condition';
import type { EnvironmentInfo, Managed } from './managed';

type CoreStatus = NonNullable<CoreAppRegistry['appStatus'][string]>;

/**
 * The core's discovery adapter for every role: `local` in shared memory, `remote` in a fleet. Statuses, models and
 * domains come from memory. No method ever rejects (the core does not handle rejections).
 */
export class DiscoveryAdapter {
  readonly environmentName: string | undefined;
  readonly environmentUrl: string | undefined;
  readonly environmentProxyUrl: string | undefined;
  readonly appStatus;
  readonly lastSeenAt;
  /** Set only by the Supervisor: the core reads its presence as "this process proxies" (gateway/index.js:126). */
  proxyWeb?: (name: string, req: IncomingMessage, res: ServerResponse) => Promise<boolean>;
  proxyWs?: (req: IncomingMessage, socket: unknown, head: Buffer) => Promise<boolean>;
  /** Set only by the Supervisor: called when its main app has started, not awaited (index.ts:503). */
  loadAppModels?: () => Promise<void>;

  constructor(
    readonly name: 'local' | 'remote',
    private readonly coreApps: CoreAppRegistry,
    private readonly managed: Managed,
    private readonly manifests: Manifests,
    environment: EnvironmentConfig | null,
    private readonly log: Log,
    private readonly close: () => Promise<void>,
  ) {
    this.environmentName = environment?.name;
    this.environmentUrl = environment?.url;
    this.environmentProxyUrl = environment?.proxyUrl;
    this.appStatus = coreApps.appStatus;
    this.lastSeenAt = coreApps.lastSeenAt;
  }

  setAppLastSeenAt(name: string): void {
    if (this.coreApps.apps[name]) this.coreApps.lastSeenAt.set(name, Math.floor(Date.now() / 1000));
  }

  getAppLastSeenAt(name: string): number | null {
    return this.coreApps.lastSeenAt.get(name) ?? null;
  }

  /** `null` would become an HTTP 500 (gateway/index.ts:591), so returns the default if there is one. */
  getAppStatus(name: string, defaultStatus?: CoreStatus): CoreStatus | null {
    return this.coreApps.appStatus[name] ?? defaultStatus ?? null;
  }

  setAppStatus(name: string, status: CoreStatus, options: object = {}): void {
    this.coreApps.setStatus(name, status, options);
  }

  /**
   * Does nothing for apps, because the controller owns their statuses: the core also calls this in the middle of a
   * restart.
   */
  clearAppStatus(name: string): void {
    if (name === 'main') delete this.coreApps.appStatus.main;
  }

  async getAppsStatuses(names?: string[]) {
    return this.managed.statuses(names);
  }

  async listAppModels() {
    return this.managed.models();
  }

  async getAppModel(name: string) {
    return this.managed.models().find((model) => model.name === name) ?? null;
  }

  async getAppNameByCName(cname: string): Promise<string | null> {
    const domain = cname.toLowerCase();
    return this.managed.models().find(({ hosts }) => hosts.includes(domain))?.name ?? null;
  }

  /** @param options.environmentName default: this process's own; null or absent on a Supervisor, which has none */
  async getAppsByCondition(
    name: string,
    condition: AppCondition,
    options: { environmentName?: string; allEnvironments?: boolean } = {},
  ): Promise<string[]> {
    const decide = async () => {
      const models = this.managed.models();
      const manifests = await this.getAppManifests(
        conditionNamespace(name),
        models.map((model) => model.name),
      );
      const manual = Object.fromEntries(
        Object.entries(manifests).map(([app, items]) => [
          app,
          items.flatMap((item) => membership.safeParse(item).data ?? []),
        ]),
      );
      const environment = options.allEnvironments ? null : (options.environmentName ?? this.environmentName ?? null);
      return appsOf(condition, models, manual, environment);
    };
    return this.orOnFailure(decide(), []);
  }

  async addAppsToCondition(name: string, environment: string, apps: string[]): Promise<void> {
    await this.assign(name, apps, { environment, member: true });
  }

  async removeAppsFromCondition(name: string, environment: string, apps: string[]): Promise<void> {
    await this.assign(name, apps, { environment, member: false });
  }

  async setAppManifestItem(app: string, namespace: string, key: string, item: unknown): Promise<void> {
    await this.orOnFailure(this.manifests.change(app, namespace, key, item ?? null), undefined);
  }

  async removeAppManifestItem(app: string, namespace: string, key: string): Promise<void> {
    await this.orOnFailure(this.manifests.change(app, namespace, key), undefined);
  }

  async removeAppManifest(app: string, namespace: string): Promise<void> {
    await this.orOnFailure(this.manifests.clear(app, namespace), undefined);
  }

  async getAppManifestItems<T>(app: string, namespace: string): Promise<T[]> {
    return (await this.getAppManifests<T>(namespace, [app]))[app] ?? [];
  }

  async getAppManifests<T>(namespace: string, apps: string[]): Promise<Record<string, T[]>> {
    const found = await this.orOnFailure(this.manifests.values(namespace, apps), new Map<string, unknown[]>());
    return Object.fromEntries(found) as Record<string, T[]>;
  }

  /**
   * The main app has started or restarted. The lease has its own timer, so the core's two-minute heartbeat is not
   * needed: `false` disables it (index.ts:750). Its work is not awaited: throwing or waiting here would delay the main
   * app.
   */
  async registerEnvironment(): Promise<boolean> {
    this.managed.begin();
    return false;
  }

  /** Nothing: the lease has its own heartbeat. */
  async heartbeatEnvironment(): Promise<void> {}

  async listEnvironments(): Promise<EnvironmentInfo[]> {
    return this.managed.environments();
  }

  async getEnvironment(name: string): Promise<EnvironmentInfo | null> {
    return this.managed.environments().find((environment) => environment.name === name) ?? null;
  }

  /** The process that boots an app holds a lock on its database: a second one would order nothing. */
  async getBootstrapLock(app: string): Promise<null> {
    this.refuse('getBootstrapLock', app, 'boots of an app are ordered by a lock on its database');
    return null;
  }

  async addAppModel(model: { name?: unknown }): Promise<void> {
    this.refuse('addAppModel', String(model?.name), 'an app is added with apps:create');
  }

  async removeAppModel(app: string): Promise<void> {
    this.refuse('removeAppModel', app, 'an app is deleted with apps:destroy');
  }

  async unregisterEnvironment(): Promise<void> {
    await this.managed.leave();
  }

  async dispose(): Promise<void> {
    await this.orOnFailure(this.managed.leave(), undefined);
    await this.orOnFailure(this.close(), undefined);
  }

  private refuse(call: string, app: string, why: string): void {
    this.log.warn(`${call} of app ${app}, which another plugin called, does nothing here: ${why}.`, { app });
  }

  private async assign(condition: string, apps: string[], membership: Membership): Promise<void> {
    const namespace = conditionNamespace(condition);
    await Promise.all(apps.map((app) => this.setAppManifestItem(app, namespace, membership.environment, membership)));
  }

  private async orOnFailure<T>(work: Promise<T>, otherwise: T): Promise<T> {
    try {
      return await work;
    } catch (error) {
      this.log.warn(`The discovery adapter could not do what it was asked: ${messageOf(error)}`);
      return otherwise;
    }
  }
}
