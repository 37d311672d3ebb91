import type { PostgresServer } from '../../scripts/fleet';

/** The setup of the process with simulated Workers, and its requests and answers. */
export interface WorkersSetup {
  redisUrl: string;
  postgres: PostgresServer;
  /** Where their locks are. */
  database: string;
  appKey: string;
  aesKey: string;
  appVersion: string;
  /** `<name>@<version>` of the plugins that every app has. */
  plugins: Array<{ name: string; version: string }>;
}

/** How apps boot: immediately, or with the duration and the messages of real ones. */
export type BootPace = 'instant' | 'real';

export type Ask =
  | { do: 'setup'; setup: WorkersSetup }
  /** Workers of these environments start, as after a cold start: without a snapshot. */
  | { do: 'start'; environments: string[]; pace: BootPace }
  | { do: 'stop' }
  /** From now on this many visits a second, spread over all apps; 0 ends it. */
  | { do: 'visit'; perSecond: number }
  /** When the boots of these apps began, since the previous request. */
  | { do: 'begun' };

export interface Answered {
  id: number;
  begun?: Array<{ app: string; at: number }>;
  error?: string;
}

/** A time that two processes of one machine share, in ms. */
export const sharedNow = (): number => performance.timeOrigin + performance.now();
