import type { Message } from '../../../shared/message';
import { AppSupervisorError, fail } from '../../errors';
import type { Feed } from '../../feed';

/**
 * Notifications and requests between the processes of a fleet. Two implementations: Redis, and memory for one process.
 *
 * - Notifications may be lost, duplicated or late. They say that there is something to read, never what: a lost one
 * only costs time.
 * - A request is answered at most once, or fails at its deadline. Its handler may nevertheless have done its work.
 * - Nothing is stored: a new listener receives nothing from before. Listeners and handlers survive a lost connection.
 */
export interface MessageBus {
  /** Notifications arrive: at first, and again after they could not. Those sent meanwhile are lost. */
  readonly returns: Feed<void>;
  /** Begins to connect without waiting: until then notifications are lost and requests fail. */
  open(): void;
  /**
   * Notifies Supervisors with names of apps or environments, an environment with uids of apps. Never calls listeners synchronously; never
   * throws.
   */
  notify(to: Audience, names: string[]): void;
  /** One listener for each audience. Returns before the subscription exists. */
  onNotify(me: Audience, listener: (names: string[]) => void): Promise<void>;
  /**
   * @param timeout in ms
   * @returns the Worker's answer, for the caller to parse
   * @throws AppSupervisorError WORKER_SILENT or WORKER_FAILED
   */
  request(environment: string, method: string, payload: unknown, timeout: number): Promise<unknown>;
  /**
   * Answers the requests to an environment. Returns before the subscription exists.
   * @param isMine whether this process is to answer, since all processes of an environment hear a request; absent: always
   */
  serve(environment: string, handlers: RequestHandlers, isMine?: () => boolean): Promise<void>;
  /**
   * A request of the Worker of an environment to the Supervisors, with the key of that environment.
   * @param timeout in ms
   * @throws AppSupervisorError SUPERVISOR_SILENT or SUPERVISOR_REFUSED
   */
  ask(environment: string, method: string, payload: unknown, timeout: number): Promise<unknown>;
  /** Answers the requests of Workers. Returns before the subscription exists. */
  serveWorkers(supervisor: AskedSupervisor): Promise<void>;
  close(): Promise<void>;
}

/**
 * `supervisors`: Workers have reported changes. `definitions`: a Supervisor has changed apps or operations, or, without
 * names, has handed the lead over or forgotten an environment. `doubts`: a Supervisor could not connect to the Workers of these
 * environments. The sender does not receive the last two. An environment: something is published for it.
 */
export type Audience = 'supervisors' | 'definitions' | 'doubts' | { environment: string };

/** Whether only others are notified. */
export const isForOthers = (audience: Audience): boolean => audience === 'definitions' || audience === 'doubts';
export type RequestHandlers = Record<string, (payload: unknown) => Promise<unknown>>;

/** A Supervisor that Workers ask. */
export interface AskedSupervisor {
  /** Whether there is such an environment: nothing is looked at that says that it comes from another one. */
  knows(environment: string): boolean;
  /** Null if another Supervisor is to answer: all of them hear what is asked. */
  answer(environment: string, method: string, payload: unknown): Promise<unknown> | null;
}

/** How a request fails: without an answer, or with one that says why. */
export interface Failures {
  silent(): Error;
  failed(cause: Message): Error;
}

export const failuresOfWorker = (environment: string, timeout: number): Failures => ({
  silent: () => new AppSupervisorError('WORKER_SILENT', { environment, seconds: timeout / 1000 }),
  failed: (cause) => new AppSupervisorError('WORKER_FAILED', { environment, cause }),
});

export const failuresOfSupervisor = (timeout: number): Failures => ({
  silent: () => new AppSupervisorError('SUPERVISOR_SILENT', { seconds: timeout / 1000 }),
  failed: (cause) => new AppSupervisorError('SUPERVISOR_REFUSED', { cause }),
});

/** Converts the result of a handler into an answer, whatever the request is and however it fails. */
export async function callHandler(handlers: RequestHandlers, method: string, payload: unknown): Promise<unknown> {
  if (!Object.hasOwn(handlers, method)) fail('UNKNOWN_REQUEST', { request: method });
  return handlers[method](payload);
}
