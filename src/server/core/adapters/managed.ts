import type { Visibility } from '../../../shared/visibility';
import type { Feed } from '../../feed';
import type { CommandOutcome } from '../../supervisor/requests/commands';

/** The services that the adapters call, whatever the role of the process. No method ever rejects, unless it says so. */
export interface Managed {
  /** A visit to an app; false if this process has no app of that name. */
  visit(name: string): boolean;
  /**
   * Opens an app for a command of it, in a worker thread or in `nocobase pm … --app`; null if this process is not for
   * that. Rejects in a command-line run only, whose command then ends with the error.
   * @param registered whether an app that is registered and not started is enough
   */
  openForCommand(name: string, registered: boolean): Promise<void> | null;
  /** Whether the fleet has an app of this name, as far as this process knows. */
  manages(name: string): boolean;
  /** Another plugin requests an action on an app through the core's API. */
  requestAction(action: 'create' | 'start' | 'stop' | 'upgrade', name: string): Promise<void>;
  /**
   * Another plugin dispatches a command through the core's API.
   * @throws AppSupervisorError why it was refused
   */
  command(command: unknown): Promise<void>;
  /** Commands that were carried out or refused in this process. */
  readonly commands: Feed<CommandOutcome>;
  /** The environments that this process knows: all of the fleet on a Supervisor, its own elsewhere. */
  environments(): EnvironmentInfo[];
  /** Another plugin no longer needs an app in this process; false if this process does not host it for the fleet. */
  unload(name: string): Promise<boolean>;
  /** Emits an event on an app in every environment where it runs; on a Worker in its own alone; never boots a stopped one. */
  dispatchEvent(name: string, event: string, payload: unknown): Promise<void>;
  models(): AppModel[];
  statuses(names?: string[]): Promise<AppStatuses>;
  /** The environment started or restarted. */
  begin(): void;
  /** The environment shuts down. */
  leave(): Promise<void>;
}

/** The core's view of an environment (app-supervisor/types.ts:44). */
export interface EnvironmentInfo {
  name: string;
  url: string;
  proxyUrl: string;
  /** Its Worker is heard of: it is online or suspect. */
  available: boolean;
  appVersion: string;
  /** In ms since 1970; absent if it was never heard of. */
  lastHeartbeatAt?: number;
}

/** By app: one status, or one for each environment. */
export type AppStatuses = Record<string, string | Record<string, string>>;

/** The core's view of an app (app-supervisor/types.ts:73), without secrets. */
export interface AppModel extends Visibility {
  name: string;
  title: string;
  icon?: string;
  /** The host to which links lead: a custom domain that works, or the app's host below the apps' domain. */
  cname?: string;
  /** All hosts of the app, whatever is known of them. */
  hosts: string[];
  sort: number;
  pinned: boolean;
  environments: string[];
  options: { autoStart?: boolean; hidden?: boolean; sso?: Record<string, unknown> };
}
