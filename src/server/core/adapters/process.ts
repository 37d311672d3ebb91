import type { Application } from '@nocobase/server';
import type { HostedApps } from '../../nocobase/core-app-registry';
import { isStandIn } from '../../nocobase/placeholder-app';
import type { Managed } from './managed';

/**
 * The core's process adapter: `local` where apps are hosted, `remote` on a supervisor, which holds its main app alone.
 * Look-ups in memory, since most of it is called in every request; no method ever rejects.
 *
 * Starting, stopping and upgrading by name is a wish, and wishes go to whoever manages (`managed`).
 */
export class ProcessAdapter {
  readonly apps;
  readonly appErrors;
  readonly lastMaintainingMessage;
  readonly statusBeforeCommanding;

  constructor(
    readonly name: 'local' | 'remote',
    private readonly hosted: HostedApps,
    private readonly managed: Managed,
  ) {
    this.apps = hosted.apps;
    this.appErrors = hosted.appErrors;
    this.lastMaintainingMessage = hosted.lastMaintainingMessage;
    this.statusBeforeCommanding = hosted.statusBeforeCommanding;
  }

  addApp(app: Application): Application {
    return this.hosted.addApp(app);
  }

  async getApp(name: string, options: { withOutBootStrap?: boolean } = {}): Promise<Application | undefined> {
    if (!options.withOutBootStrap && !this.hosted.apps[name]) await this.bootstrapApp(name);
    return this.hosted.apps[name];
  }

  hasApp(name: string): boolean {
    return this.hosted.apps[name] !== undefined;
  }

  /**
   * Answers at once: the gateway waits for it, and then says what state the app is in (gateway/index.ts:588-618). Only in
   * a worker thread, where there is no gateway, is the app there at the end.
   */
  async bootstrapApp(name: string): Promise<void> {
    const opening = this.managed.openForCommand(name);
    if (opening) await opening;
    else if (name === 'main') this.hosted.bootstrapMain();
    else if (!this.managed.visit(name)) this.hosted.appStatus[name] = 'not_found';
    else if (this.hosted.appStatus[name] === 'not_found') delete this.hosted.appStatus[name];
  }

  getApps(): Application[] {
    return this.hosted.subApps();
  }

  async createApp({ appModel }: { appModel: { name: string } }): Promise<void> {
    await this.managed.wish('create', appModel.name);
  }

  async startApp(name: string): Promise<void> {
    if (name === 'main') await this.hosted.apps.main?.runCommand('start', '--quickstart');
    else await this.managed.wish('start', name);
  }

  async stopApp(name: string): Promise<void> {
    if (name === 'main') await this.hosted.apps.main?.runCommand('stop');
    else await this.managed.wish('stop', name);
  }

  /** As in the core's own adapters, the app's object leaves this process. The app itself ends by `apps:destroy` alone. */
  async removeApp(name: string): Promise<void> {
    if (await this.managed.unload(name)) return;
    const app = this.hosted.apps[name];
    if (!app || isStandIn(app)) return;
    await app.runCommand('destroy');
    this.hosted.drop(name);
  }

  async upgradeApp(name: string): Promise<void> {
    await this.managed.wish('upgrade', name);
  }

  async dispatchAppEvent(name: string, event: string, payload?: unknown): Promise<void> {
    await this.managed.dispatchEvent(name, event, payload);
  }

  /** At shutdown the core has destroyed each app already (gateway/index.ts:154). */
  async removeAllApps(): Promise<void> {
    for (const name of Object.keys(this.hosted.apps)) this.hosted.drop(name);
  }

  setAppError(name: string, error: Error): void {
    this.hosted.setError(name, error);
  }

  hasAppError(name: string): boolean {
    return this.hosted.appErrors[name] !== undefined;
  }

  clearAppError(name: string): void {
    delete this.hosted.appErrors[name];
  }
}
