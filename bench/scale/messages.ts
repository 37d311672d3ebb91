import type { PostgresServer } from '../../scripts/fleet';

/** What the process of simulated Workers is given, and what it is asked and answers. */
export interface WorkersSetup {
  redisUrl: string;
  postgres: PostgresServer;
  /** Where their locks live. */
  database: string;
  appKey: string;
  aesKey: string;
  appVersion: string;
  /** `<name>@<version>` of what every app has. */
  plugins: Array<{ name: string; version: string }>;
}

/** How apps boot: at once, or as long as real ones and with as many messages. */
export type BootPace = 'instant' | 'real';

export type Ask =
  | { do: 'setup'; setup: WorkersSetup }
  /** Workers of these environments begin, as after a cold start: without a snapshot. */
  | { do: 'start'; environments: string[]; pace: BootPace }
  | { do: 'stop' }
  /** When the boots of these apps began, since the last time somebody asked. */
  | { do: 'begun' };

export interface Answered {
  id: number;
  begun?: Array<{ app: string; at: number }>;
  error?: string;
}

/** A time that two processes of one machine agree on, in ms. */
export const sharedNow = (): number => performance.timeOrigin + performance.now();
