import type { Application, AppSupervisor } from '@nocobase/server';
import type { AdminPassword } from '../../shared/messages';
import type { Status } from '../../shared/types';
import { nameTokens } from './token-names';
import { progressFor, Unavailable } from './visitors';

/** The core's own statuses; ours are converted before the core sees them. */
type CoreStatus = Exclude<Status, 'dormant' | 'waiting' | 'unknown'>;

/**
 * The apps of this process, in the format in which the core reads them (app-supervisor/types.ts). Objects have null
 * prototypes, because names come from requests. Everything is in memory, because the core reads most of it for every
 * request.
 */
export class CoreAppRegistry {
  readonly apps: Record<string, Application> = Object.create(null);
  /** The errors for visitors: the core answers with their text. */
  readonly appErrors: Record<string, Unavailable> = Object.create(null);
  readonly appStatus: Record<string, CoreStatus> = Object.create(null);
  readonly lastMaintainingMessage: Record<string, string> = Object.create(null);
  readonly statusBeforeCommanding: Record<string, CoreStatus> = Object.create(null);
  readonly lastSeenAt = new Map<string, number>();
  /** Called after every change of an app's status, when it is in memory. */
  onStatus: (name: string) => void = () => undefined;
  /** Called with the full progress messages of the core while it works on an app. */
  onProgress: (name: string, message: string) => void = () => undefined;
  /** Called at each start of an app with the problem of its root user's password, or null. */
  onAdminPassword: (name: string, found: AdminPassword | null) => void = () => undefined;

  /** Whether an app belongs to the fleet: then its object is created by `create` alone. */
  isManaged: (name: string) => boolean = () => false;
  /** The title of an app, for visitors. */
  titleOf: (name: string) => string | undefined = () => undefined;
  private creating: string | null = null;
  /** By app: what the core says with `running` in the middle of a command. */
  private readonly early = new Map<string, object>();

  constructor(private readonly supervisor: AppSupervisor) {}

  /** Creates the object of an app of the fleet, in the place of the previous one. */
  create(name: string, make: () => Application): Application {
    // At the last moment, so that no request in between finds nothing and boots the app again.
    delete this.apps[name];
    this.creating = name;
    try {
      return make();
    } finally {
      this.creating = null;
    }
  }

  /**
   * The core calls it for every new object.
   * @throws for an app of the fleet that another plugin creates: it would have another database, run without the lock, and
   * accept the main app's tokens
   */
  addApp(app: Application): Application {
    if (this.apps[app.name]) throw new Error(`app ${app.name} already exists`);
    if (this.creating !== app.name && this.isManaged(app.name))
      throw new Error(`app ${app.name} is managed by App Supervisor: nothing else can register it`);
    this.apps[app.name] = app;
    if (app.name === 'main') nameTokens(app, 'main');
    // The core forwards everything set with this method to visitors.
    const setMessage = app.setMaintainingMessage.bind(app);
    app.setMaintainingMessage = (message: string) => {
      this.onProgress(app.name, message);
      setMessage(progressFor(message));
    };
    // Otherwise `not_found` stays for a name that was requested before its app existed.
    if (!this.appStatus[app.name] || this.appStatus[app.name] === 'not_found') this.setStatus(app.name, 'preparing');
    return app;
  }

  /** Updates the memory first, because the core restores older values around commands (index.ts:903-920). */
  setStatus(name: string, status: CoreStatus, options: object = {}): void {
    if (!status || this.appStatus[name] === status) return;
    // After a command that failed, the core loads the app once more in the next one: visitors would get to a half of it. At the end of
    // the command it restores the status from before.
    if (status === 'running' && this.statusBeforeCommanding[name] === 'running' && this.isInCommand(name)) {
      this.early.set(name, options);
      return;
    }
    const all = status === 'running' ? { ...this.early.get(name), ...options } : options;
    if (status === 'running') this.early.delete(name);
    this.appStatus[name] = status;
    this.supervisor.emit('appStatusChanged', { appName: name, status, options: all });
    this.onStatus(name);
  }

  /** Whether the core runs a command of the app: the status that it reports meanwhile is not final. */
  isInCommand(name: string): boolean {
    const status = this.apps[name]?.getMaintaining?.()?.status;
    return status === 'command_begin' || status === 'command_running';
  }

  setError(name: string, reason: Error): void {
    const error = new Unavailable(name, this.titleOf(name) ?? name, reason);
    this.appErrors[name] = error;
    this.supervisor.emit('appError', { appName: name, error });
  }

  /** Why an app failed, for operators. */
  reasonOf(name: string): Error | undefined {
    return this.appErrors[name]?.reason;
  }

  /** The core treats `main` like any other app, and calls this for every request. */
  bootstrapMain(): void {
    if (!this.apps.main) return;
    if (!this.appStatus.main || this.appStatus.main === 'preparing') {
      this.setStatus('main', 'initializing');
      this.setStatus('main', 'initialized');
    }
  }

  subApps(): Application[] {
    return Object.values(this.apps).filter((app) => app.name !== 'main');
  }

  /** Removes everything about a name. */
  drop(name: string): void {
    delete this.apps[name];
    delete this.appErrors[name];
    delete this.lastMaintainingMessage[name];
    delete this.statusBeforeCommanding[name];
    this.early.delete(name);
  }
}
