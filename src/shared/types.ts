import type { AppRow } from './app';
import type { Message } from './message';
import type { Status } from './words';

/**
 * The rows of the HTTP API (docs/reference/http-api.md), shared by the server that creates them and the pages that show
 * them. Times are milliseconds since 1970 unless a name says otherwise.
 */

export type { AppOptions, AppRow, ShownStatus } from './app';
export type { EnvironmentRow } from './environment';
export type { EventRow } from './event';
export type { OperationRow, Progress } from './operation';
/** Their types alone: Node.js does not find values that a module passes on with `export *`. */
export type * from './words';

/** The answer of `apps:create`, returned once. */
export interface CreatedApp extends AppRow {
  initialAdmin: {
    username: string;
    /** Null if none was given and the caller has none. */
    email: string | null;
    password: string;
  };
}

/** `GET appSupervisor:info` of this plugin's own page: the role of this process. */
export interface PartInfo {
  part: 'local' | 'supervisor' | 'worker' | 'dormant';
  environment: string | null;
  /** Of this process and its Redis; each says what to do. */
  warnings: Message[];
  /** On a Supervisor: whether it was given an engine in which it makes Workers itself. */
  makesContainers?: boolean;
  /** On a worker: the Supervisor that manages it, if known. */
  supervisor?: { instance: string; publicUrl: string | null } | null;
  /** On a worker: the apps that it hosts. */
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

/** One row of `appEntries:list`: an app as a switcher shows it. */
export interface AppEntry {
  name: string;
  title: string;
  icon: string | null;
  /** Address in the legacy client; absolute if `APP_SUPERVISOR_PUBLIC_URL` is set or the app has a domain. */
  url: string;
  target: '_blank' | '_self';
  /** The best status of its environments; null where the process that answers does not know all of them. */
  status: string | null;
  pinned: boolean;
}
