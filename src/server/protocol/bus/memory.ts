import type { Clock } from '../../clock';
import { describeError } from '../../errors';
import { Feed } from '../../feed';
import {
  type AskedSupervisor,
  type Audience,
  callHandler,
  type Failures,
  failuresOfSupervisor,
  failuresOfWorker,
  isForOthers,
  type MessageBus,
  type RequestHandlers,
} from '.';

/** `MessageBus` of one process. */
export class MemoryBus implements MessageBus {
  /** Never: it is never away. */
  readonly returns = new Feed<void>();
  private readonly listeners = new Map<string, (names: string[]) => void>();
  private readonly served = new Map<string, { handlers: RequestHandlers; isMine: () => boolean }>();
  private supervisor: AskedSupervisor | null = null;

  constructor(private readonly clock: Clock) {}

  open(): void {}

  notify(to: Audience, names: string[]): void {
    // There is no other Supervisor.
    if (isForOthers(to)) return;
    // Not synchronously: a notification over Redis never is, and callers must not rely on it.
    this.clock.timeout(0, () => this.listeners.get(keyOf(to))?.(names));
  }

  async onNotify(me: Audience, listener: (names: string[]) => void): Promise<void> {
    this.listeners.set(keyOf(me), listener);
  }

  async request(environment: string, method: string, payload: unknown, timeout: number): Promise<unknown> {
    const served = this.served.get(environment);
    const answer = served?.isMine() ? callHandler(served.handlers, method, payload) : null;
    return this.within(timeout, answer, failuresOfWorker(environment, timeout));
  }

  async ask(environment: string, method: string, payload: unknown, timeout: number): Promise<unknown> {
    const { supervisor } = this;
    const answer = supervisor?.knows(environment) ? supervisor.answer(environment, method, payload) : null;
    return this.within(timeout, answer, failuresOfSupervisor(timeout));
  }

  async serveWorkers(supervisor: AskedSupervisor): Promise<void> {
    this.supervisor = supervisor;
  }

  async serve(environment: string, handlers: RequestHandlers, isMine = () => true): Promise<void> {
    this.served.set(environment, { handlers, isMine });
  }

  async close(): Promise<void> {
    this.listeners.clear();
    this.served.clear();
    this.supervisor = null;
  }

  private within(timeout: number, answer: Promise<unknown> | null, { silent, failed }: Failures): Promise<unknown> {
    if (!answer) throw silent();
    return new Promise((resolve, reject) => {
      const timer = this.clock.timeout(timeout, () => reject(silent()));
      answer.then(resolve, (error) => reject(failed(describeError(error)))).finally(() => timer.cancel());
    });
  }
}

const keyOf = (audience: Audience): string =>
  typeof audience === 'string' ? audience : `environment ${audience.environment}`;
