/** What the adapters translate into: the process's own services, whichever part it plays. No method ever rejects. */
export interface Managed {
  /** Somebody asks for an app; false when there is none of that name here. */
  visit(name: string): boolean;
  /** Opens an app for a command of it in a worker thread; null where that is not what this process is for. */
  openForCommand(name: string): Promise<void> | null;
  /** Another plugin wishes something of an app by the core's API. */
  wish(action: 'create' | 'start' | 'stop' | 'upgrade', name: string): Promise<void>;
  /** Another plugin no longer needs an app in this process; false when this process does not host it for the fleet. */
  unload(name: string): Promise<boolean>;
  /** Emits an event on an app in every environment where it runs; never boots a stopped one. */
  dispatchEvent(name: string, event: string, payload: unknown): Promise<void>;
  models(): AppModel[];
  statuses(names?: string[]): Promise<AppStatuses>;
  /** The environment came up, or came up again. */
  begin(): void;
  /** The environment leaves. */
  leave(): Promise<void>;
}

/** By app: one status, or one an environment. */
export type AppStatuses = Record<string, string | Record<string, string>>;

/** The core's view of an app (app-supervisor/types.ts:73), without secrets. */
export interface AppModel {
  name: string;
  title: string;
  icon?: string;
  cname?: string;
  sort: number;
  pinned: boolean;
  environments: string[];
  options: { autoStart?: boolean; hidden?: boolean; sso?: Record<string, unknown> };
}
