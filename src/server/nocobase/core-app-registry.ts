import type { Application, AppSupervisor } from '@nocobase/server';
import type { AdminPassword } from '../../shared/messages';
import type { Status } from '../../shared/types';
import { progressFor, Unavailable } from './visitors';

/** The core's own statuses; ours are translated before the core sees one. */
type CoreStatus = Exclude<Status, 'dormant' | 'waiting' | 'unknown'>;

/**
 * What this process holds, in the shape the core reads it (app-supervisor/types.ts): null prototypes, since names come
 * from requests, and everything in memory, since most of it is asked for in every request.
 */
export class CoreAppRegistry {
  readonly apps: Record<string, Application> = Object.create(null);
  /** As visitors are told of them: the core answers with their text. */
  readonly appErrors: Record<string, Unavailable> = Object.create(null);
  readonly appStatus: Record<string, CoreStatus> = Object.create(null);
  readonly lastMaintainingMessage: Record<string, string> = Object.create(null);
  readonly statusBeforeCommanding: Record<string, CoreStatus> = Object.create(null);
  readonly lastSeenAt = new Map<string, number>();
  /** Told of every change of an app's status, after it is in memory. */
  onStatus: (name: string) => void = () => undefined;
  /** Told what the core says while it works on an app, in full. */
  onProgress: (name: string, message: string) => void = () => undefined;
  /** Told what is wrong with the password of an app's root user, null when nothing is, at each start of the app. */
  onAdminPassword: (name: string, found: AdminPassword | null) => void = () => undefined;

  constructor(private readonly supervisor: AppSupervisor) {}

  addApp(app: Application): Application {
    if (this.apps[app.name]) throw new Error(`app ${app.name} already exists`);
    this.apps[app.name] = app;
    // The core passes on to visitors whatever is said by this.
    const tell = app.setMaintainingMessage.bind(app);
    app.setMaintainingMessage = (message: string) => {
      this.onProgress(app.name, message);
      tell(progressFor(message));
    };
    // `not_found` sticks otherwise: a name that was asked for before its app came.
    if (!this.appStatus[app.name] || this.appStatus[app.name] === 'not_found') this.setStatus(app.name, 'preparing');
    return app;
  }

  /** In memory before anything else happens: the core restores older values around commands (index.ts:903-920). */
  setStatus(name: string, status: CoreStatus, options: object = {}): void {
    if (!status || this.appStatus[name] === status) return;
    this.appStatus[name] = status;
    this.supervisor.emit('appStatusChanged', { appName: name, status, options });
    this.onStatus(name);
  }

  setError(name: string, reason: Error): void {
    const error = new Unavailable(name, reason);
    this.appErrors[name] = error;
    this.supervisor.emit('appError', { appName: name, error });
  }

  /** Why an app failed, for its operators. */
  reasonOf(name: string): Error | undefined {
    return this.appErrors[name]?.reason;
  }

  /** The core binds `main` like any other app, and asks this on every request. */
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

  /** Forgets everything of a name. */
  drop(name: string): void {
    delete this.apps[name];
    delete this.appErrors[name];
    delete this.lastMaintainingMessage[name];
    delete this.statusBeforeCommanding[name];
  }
}
