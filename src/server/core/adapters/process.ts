import type { Application } from '@nocobase/server';
import type { CoreAppRegistry } from '../../nocobase/core-app-registry';
import { isPlaceholderApp } from '../../nocobase/placeholder-app';
import type { Managed } from './managed';

/** The core's options of `getApp` (app-supervisor/types.ts). */
interface AppRequest {
  withOutBootStrap?: boolean;
  upgrading?: boolean;
}

/**
 * The core's process adapter: `local` where apps are hosted, `remote` on a Supervisor, which has only its main app. It
 * uses in-memory look-ups, because the core calls most of it for every request. No method rejects in a process that serves requests.
 *
 * Starting, stopping and upgrading by name are requests, which go to the managing service (`managed`).
 */
export class ProcessAdapter {
  readonly apps;
  readonly appErrors;
  readonly lastMaintainingMessage;
  readonly statusBeforeCommanding;

  constructor(
    readonly name: 'local' | 'remote',
    private readonly coreApps: CoreAppRegistry,
    private readonly managed: Managed,
  ) {
    this.apps = coreApps.apps;
    this.appErrors = coreApps.appErrors;
    this.lastMaintainingMessage = coreApps.lastMaintainingMessage;
    this.statusBeforeCommanding = coreApps.statusBeforeCommanding;
  }

  addApp(app: Application): Application {
    return this.coreApps.addApp(app);
  }

  /**
   * @param options.upgrading in `nocobase pm … --app`: the app is to be registered and not started
   * @throws in a command-line run, if the app is not hosted here
   */
  async getApp(name: string, options: AppRequest = {}): Promise<Application | undefined> {
    if (!options.withOutBootStrap && !this.coreApps.apps[name]) await this.bootstrapApp(name, options);
    return this.coreApps.apps[name];
  }

  hasApp(name: string): boolean {
    return this.coreApps.apps[name] !== undefined;
  }

  /**
   * Returns immediately: the gateway waits for it, and then reports the app's state (gateway/index.ts:588-618). Only in
   * a worker thread, which has no gateway, does it wait until the app exists.
   */
  async bootstrapApp(name: string, { upgrading = false }: AppRequest = {}): Promise<void> {
    const opening = this.managed.openForCommand(name, upgrading);
    if (opening) await opening;
    else if (name === 'main') this.coreApps.bootstrapMain();
    else if (!this.managed.visit(name)) this.coreApps.appStatus[name] = 'not_found';
    else if (this.coreApps.appStatus[name] === 'not_found') delete this.coreApps.appStatus[name];
  }

  getApps(): Application[] {
    return this.coreApps.subApps();
  }

  async createApp({ appModel }: { appModel: { name: string } }): Promise<void> {
    await this.managed.requestAction('create', appModel.name);
  }

  async startApp(name: string): Promise<void> {
    if (name === 'main') await this.coreApps.apps.main?.runCommand('start', '--quickstart');
    else await this.managed.requestAction('start', name);
  }

  async stopApp(name: string): Promise<void> {
    if (name === 'main') await this.coreApps.apps.main?.runCommand('stop');
    else await this.managed.requestAction('stop', name);
  }

  /**
   * As in the core's own adapters, removes the app's object from this process. Only `apps:destroy` deletes the app
   * itself.
   */
  async removeApp(name: string): Promise<void> {
    if (await this.managed.unload(name)) return;
    const app = this.coreApps.apps[name];
    if (!app || isPlaceholderApp(app)) return;
    await app.runCommand('destroy');
    this.coreApps.drop(name);
  }

  async upgradeApp(name: string): Promise<void> {
    await this.managed.requestAction('upgrade', name);
  }

  async dispatchAppEvent(name: string, event: string, payload?: unknown): Promise<void> {
    await this.managed.dispatchEvent(name, event, payload);
  }

  /** At shutdown the core has already destroyed each app (gateway/index.ts:154). */
  async removeAllApps(): Promise<void> {
    for (const name of Object.keys(this.coreApps.apps)) this.coreApps.drop(name);
  }

  setAppError(name: string, error: Error): void {
    this.coreApps.setError(name, error);
  }

  hasAppError(name: string): boolean {
    return this.coreApps.appErrors[name] !== undefined;
  }

  clearAppError(name: string): void {
    delete this.coreApps.appErrors[name];
  }
}
