import { fail } from '../../errors';

/**
 * Wake-ups and requests between the processes of a fleet. Two implementations: Redis, and memory for one process.
 *
 * - Wake-ups may be lost, doubled or late. They say that there is something to read, and never what: a lost one costs time only.
 * - A request is answered at most once, or fails by its deadline. A handler may have done its work all the same.
 * - Nothing is kept: who listens later hears nothing of before. Listeners and handlers stay over a lost connection.
 */
export interface MessageBus {
  /** Begins to connect, and does not wait for it: until then wake-ups are lost and requests fail. */
  open(): void;
  /** Wakes an audience, with the names of the apps that it is about. Never in the caller's turn; never throws. */
  notify(to: Audience, names: string[]): void;
  /** One listener for each audience. Returns before the subscription is made. */
  onNotify(me: Audience, listener: (names: string[]) => void): Promise<void>;
  /**
   * @param timeout in ms
   * @returns what the Worker answered, for the caller to parse
   * @throws AppSupervisorError WORKER_SILENT or WORKER_FAILED
   */
  request(environment: string, method: string, payload: unknown, timeout: number): Promise<unknown>;
  /** Answers the requests to an environment. Returns before the subscription is made. */
  serve(environment: string, handlers: RequestHandlers): Promise<void>;
  close(): Promise<void>;
}

/**
 * `supervisors`: Workers have reported something. `definitions`: a Supervisor has changed apps or operations, or, naming none, has
 * passed the lead on; it does not hear itself. An environment: something is published for it.
 */
export type Audience = 'supervisors' | 'definitions' | { environment: string };
export type RequestHandlers = Record<string, (payload: unknown) => Promise<unknown>>;

/** A handler's answer to a request, whatever is asked and however it fails. */
export async function callHandler(handlers: RequestHandlers, method: string, payload: unknown): Promise<unknown> {
  if (!Object.hasOwn(handlers, method)) fail('UNKNOWN_REQUEST', { request: method });
  return handlers[method](payload);
}
