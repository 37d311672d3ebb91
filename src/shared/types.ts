import type { AppRow } from './app';
import type { Message } from './message';
import type { Status } from './words';

/**
 * The rows of the HTTP API (docs/reference/http-api.md), shared by the server that builds them and the pages that show them.
 * Times are milliseconds since 1970 unless a name says otherwise.
 */

export type { AppOptions, AppRow, ShownStatus } from './app';
export type { EnvironmentRow } from './environment';
export type { OperationRow, OperationStep } from './operation';
export * from './words';

/** What `apps:create` answers, once. */
export interface CreatedApp extends AppRow {
  initialAdmin: {
    username: string;
    /** Null when none was given, and who asked has none. */
    email: string | null;
    password: string;
  };
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
