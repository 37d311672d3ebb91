import type { Message } from './message';

/**
 * The rows of the HTTP API (docs/reference/http-api.md), shared by the server that builds them and the pages that show them.
 * Times are milliseconds since 1970 unless a name says otherwise.
 */

/** The core's `AppStatus` (server/src/app-supervisor/types.ts:40) and three of ours. */
export const STATUSES = [
  'preparing',
  'initializing',
  'initialized',
  'running',
  'commanding',
  'stopped',
  'error',
  'not_found',
  /** Not loaded; starts when visited. */
  'dormant',
  /** Its turn has not come: queued behind another boot or environment, or the environment has not answered yet. */
  'waiting',
  /** Cannot be proven: the environment is down, or the observer cannot see. */
  'unknown',
] as const;
export type Status = (typeof STATUSES)[number];

export const HEALTHS = ['online', 'suspect', 'down', 'stopping', 'unknown'] as const;
export type Health = (typeof HEALTHS)[number];

/** What one environment is to do with an app. `removed`: forget it there. */
export type Desired = 'running' | 'onDemand' | 'stopped' | 'removed';
export type StartMode = 'onVisit' | 'withMain';

export const ACTIONS = ['create', 'adopt', 'update', 'start', 'stop', 'restart', 'upgrade', 'destroy'] as const;
export type Action = (typeof ACTIONS)[number];

export const OPERATION_STATES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type OperationState = (typeof OPERATION_STATES)[number];
export type StepState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

/** What is shown of one app in one environment: always the result of `shownStatus()`. */
export interface ShownStatus {
  status: Status;
  /** When the app took this status, by its worker's clock; for `unknown`, when sight of it was lost. */
  since: number;
  /** When the worker last proved it, by this supervisor's clock. */
  observedAt: number | null;
  /** Progress or reason. */
  message?: Message;
  error?: Message;
}

export interface OperationStep {
  environment: string;
  state: StepState;
  message?: Message;
  error?: Message;
  startedAt?: number;
  finishedAt?: number;
}

export interface OperationRow {
  id: string;
  appName: string;
  action: Action;
  state: OperationState;
  /** Why nothing happens right now; null while it proceeds or is over. */
  waitingFor: Message | null;
  steps: OperationStep[];
  /** User id of who asked; null when the fleet itself did. */
  createdBy: number | string | null;
  createdAt: number;
  finishedAt: number | null;
}

export type DbConnType = 'new_database' | 'new_connection' | 'new_schema';

/** The white list of an app's `options`, in the core's shapes. Passwords never leave the server. */
export interface AppOptions {
  dbConnType?: DbConnType;
  database?: {
    dialect?: string;
    host?: string;
    port?: number;
    username?: string;
    password?: string;
    database?: string;
    schema?: string;
    tablePrefix?: string;
  };
  sso?: { enabled?: boolean; autoSignup?: boolean; issuer?: string };
}

export interface AppRow {
  name: string;
  uid: string;
  title: string;
  icon: string | null;
  cname: string | null;
  pinned: boolean;
  hidden: boolean;
  sort: number;
  environments: string[];
  targetEnvironment: string | null;
  desiredState: 'running' | 'stopped' | 'onDemand';
  startMode: StartMode;
  autoUpgrade: boolean;
  options: AppOptions;
  /** By environment name, sorted; also of those that it was taken from and has not left yet, which `environments` does not name. */
  statuses: Record<string, ShownStatus>;
  /** NocoBase version of the data, as the environment that runs it reported. */
  version: string | null;
  lastVisitAt: number | null;
  /** Names of changed settings that take effect at the next restart. */
  pendingChanges: string[];
  /** Each says what to do. */
  warnings: Message[];
  /** The newest operation, if it is not over. */
  operation: OperationRow | null;
  createdAt: number;
  updatedAt: number;
}

/** What `apps:create` answers, once. */
export interface CreatedApp extends AppRow {
  initialAdmin: {
    username: string;
    /** Null when none was given, and who asked has none. */
    email: string | null;
    password: string;
  };
}

export interface EnvironmentRow {
  name: string;
  url: string;
  proxyUrl: string;
  appVersion: string;
  /** `health` is online or suspect; what multi-app-manager's migration page filters by. */
  available: boolean;
  health: Health;
  since: number;
  /** Whether it serves requests (`WORKER_MODE`). */
  serves: boolean;
  cordoned: boolean;
  /** The process that holds the lease, `host:pid:random`; null when none does. */
  instance: string | null;
  /** A second live process of the same name, which hosts nothing. */
  standby: string | null;
  lastHeartbeatAt: number | null;
  apps: Partial<Record<Status, number>>;
  /** Resident set size in bytes. */
  memory: number | null;
  /** 99th percentile since the last beat, in milliseconds. */
  eventLoopDelay: number | null;
  /** Each says what to do. */
  warnings: Message[];
}

/** `GET appSupervisor:info` of this plugin's own page: which part this process plays. */
export interface PartInfo {
  part: 'local' | 'supervisor' | 'worker' | 'dormant';
  environment: string | null;
  /** Of this process and its Redis; each says what to do. */
  warnings: Message[];
  /** Of a Supervisor: variables that a new worker needs as it has them itself; no secrets. */
  toJoin?: Record<string, string>;
  /** Of a worker: who manages it, as far as it was told. */
  supervisor?: { instance: string; publicUrl: string | null } | null;
  /** Of a worker: what it hosts. */
  apps?: HostedAppInfo[];
}

export interface HostedAppInfo {
  name: string;
  title: string;
  status: Status;
  since: number;
  version: string | null;
  message?: Message;
  error?: Message;
}

/** One row of `appEntries:list`: what a switcher shows of an app. */
export interface AppEntry {
  name: string;
  title: string;
  icon: string | null;
  /** Absolute when `APP_SUPERVISOR_PUBLIC_URL` is set or the app has a domain; of the legacy client. */
  url: string;
  target: '_blank' | '_self';
  /** The best of its environments. */
  status: string;
  pinned: boolean;
}
