import type { Message } from './message';

/** What **Add environment** shows: how a Worker for a new environment is started, and what is known of the newcomer. */

export const JOIN_FORMATS = ['compose', 'docker', 'kubernetes', 'shell'] as const;
export type JoinFormat = (typeof JOIN_FORMATS)[number];

/** The parameters of `appEnvironments:join` and `:arrival`. */
export interface JoinRequest {
  name: string;
  /** The address for visitors, `http://host[:port]`. */
  url: string;
  /** The address for the Supervisor, if it differs. */
  proxyUrl?: string;
  /** The container image; by default that of `APP_SUPERVISOR_WORKER_IMAGE`. */
  image?: string;
  /** The Docker network; by default that of `APP_SUPERVISOR_WORKER_NETWORK`. */
  network?: string;
  /** Where the Worker reaches Redis and the database server, `host[:port]`; by default where this Supervisor does. */
  redis?: string;
  database?: string;
}

/** What an administrator of the database server or of Redis runs once, before the Worker starts. */
export interface JoinStep {
  kind: 'database' | 'redis';
  commands: string;
}

/** The answer of `appEnvironments:join`. Contains secrets of this one environment. */
export interface JoinAnswer {
  name: string;
  files: Record<JoinFormat, string>;
  steps: JoinStep[];
  /** What will not work as it is. */
  warnings: Message[];
}

export const ARRIVAL_STATES = ['waiting', 'wrong', 'arrived'] as const;

/** The answer of `appEnvironments:arrival`. */
export interface Arrival {
  /** `wrong`: it is there, and waiting does not help. */
  state: (typeof ARRIVAL_STATES)[number];
  /** What is known, and what to do. */
  messages: Message[];
}
