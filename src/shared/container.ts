import type { Message } from './message';

/** Containers of Workers that the Supervisor has made itself. */

/**
 * `starting`: NocoBase does not accept requests yet. `unhealthy`: it does not any more. `restarting`: it died, and the
 * engine starts it again. `died`: it ended by itself. `stopped`: somebody wanted that.
 */
export const CONTAINER_STATES = ['starting', 'running', 'unhealthy', 'restarting', 'died', 'stopped'] as const;
export type ContainerStatus = (typeof CONTAINER_STATES)[number];

/** A row of `appContainers:list`. */
export interface ContainerRow {
  environment: string;
  /** In the engine. */
  name: string;
  image: string;
  /** Whether the Supervisor runs another image. */
  isOutdated: boolean;
  status: ContainerStatus;
  /** Since when, in ms since 1970. */
  since: number;
  /** Why it ended; null while it runs, and after a wanted end. */
  cause: Message | null;
  /** What it wrote last before it ended. */
  lastLines: string[];
  /** How often the engine has started it again. */
  restarts: number;
  /** Limits: bytes, and processors; null: none. */
  memory: number | null;
  cpus: number | null;
}

export const CONTAINER_ACTIONS = ['start', 'stop', 'restart', 'upgrade', 'destroy'] as const;
export type ContainerAction = (typeof CONTAINER_ACTIONS)[number];
