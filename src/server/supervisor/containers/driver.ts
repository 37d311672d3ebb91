import type { ContainerRow } from '../../../shared/container';

/**
 * Makes and runs the processes of Workers, in a Docker Engine or somewhere else. It knows nothing of environments but their names.
 * Of what is there it touches only what it has made for this fleet. `__tests__/contracts/driver-suite.ts` is the contract.
 */
export interface WorkerDriver {
  /** The container of this Supervisor; null if it runs in none of this engine. @throws AppSupervisorError ENGINE_FAILED, as all */
  own(): Promise<OwnContainer | null>;
  /** Makes and starts it. @throws CONTAINER_EXISTS if there is one of this environment, or of its name */
  create(spec: ContainerSpec): Promise<void>;
  /** @throws UNKNOWN_CONTAINER, as all that follow */
  start(environment: string): Promise<void>;
  /** Returns when it has ended; it has 60 s for that. It stays stopped when the engine restarts. */
  stop(environment: string): Promise<void>;
  restart(environment: string): Promise<void>;
  /**
   * Replaces it by one that keeps its volume. The former one is kept aside until the new one is ready. It runs again if that does not
   * become ready, or if this process ends in the middle: by `watch` of another one.
   */
  upgrade(spec: ContainerSpec): Promise<void>;
  /** Stops and deletes it. @param what.volume whether its files go as well */
  remove(environment: string, what: { volume: boolean }): Promise<void>;
  /** What it wrote last, oldest line first. */
  logs(environment: string, lines: number): Promise<string[]>;
  list(): Promise<ContainerState[]>;
  /** Calls back until it is closed, and completes upgrades. Connects again if the engine is away. */
  watch(watcher: ContainerWatcher): { close(): void };
}

export interface ContainerWatcher {
  /** Nobody wanted that. */
  died(death: Death): void;
  /** A container of an upgrade did not become ready: the former one runs again. */
  restored(environment: string): void;
}

export interface OwnContainer {
  image: string;
  /** Identifies what is in the image: a name may come to mean another one. */
  imageId: string;
  network: string | null;
}

export interface ContainerSpec {
  environment: string;
  /** In the engine, and on the network. */
  name: string;
  image: string;
  network: string | null;
  /** With secrets, which no container's configuration shows. */
  variables: [name: string, value: string][];
  /** Of the engine's machine, for port 80 of the container; null: none. */
  port: number | null;
  /** The address of that machine on which it is published; empty: all. */
  host: string;
  /** In bytes. */
  memory: number | null;
  /** Processors, such as 1.5. */
  cpus: number | null;
  /** What it is made from, without secrets: stays with it, so that it can be made again. */
  request: string;
}

/** Why it ended. */
export interface End {
  exitCode: number;
  isOutOfMemory: boolean;
  lastLines: string[];
}

export interface ContainerState extends Omit<ContainerRow, 'isOutdated' | 'cause' | 'lastLines'> {
  imageId: string;
  /** As in `ContainerSpec`. */
  request: string;
  /** Null while it runs, and after a wanted end. */
  end: End | null;
}

export interface Death extends End {
  environment: string;
  /** The same for the same death. */
  id: string;
  /** In ms since 1970. */
  at: number;
}
