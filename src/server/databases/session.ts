import type { Clock, Timer } from '../clock';

/** Rows by column name, as the driver returns the values. */
export type Row = Record<string, unknown>;

/** One connection to a database. Errors are the driver's own; `Dialect.faultOf` interprets them. */
export interface Session {
  /** @param sql with `?` for each of `params`, in every dialect */
  query(sql: string, params?: readonly unknown[]): Promise<Row[]>;
  /** Ends the connection within `CLOSE_TIMEOUT`, whatever its state. Never rejects. */
  close(): Promise<void>;
  /** Calls `listener` once when the connection ends for any reason; immediately if it has already ended. */
  onLost(listener: (error: Error) => void): void;
}

/** Time limit for connecting, including sign-in, in ms. */
export const CONNECT_TIMEOUT = 5_000;
/** Time limit for a regular close, in ms; then the socket is destroyed. */
export const CLOSE_TIMEOUT = 500;
/** First TCP probe of an idle connection, in ms. */
export const KEEP_ALIVE_DELAY = 10_000;

/** Remembers that a connection ended, for listeners that are added later. */
export class ConnectionLoss {
  private error: Error | undefined;
  private readonly listeners: Array<(error: Error) => void> = [];

  readonly emit = (error: Error): void => {
    if (this.error) return;
    this.error = error;
    for (const listener of this.listeners) listener(error);
  };

  readonly listen = (listener: (error: Error) => void): void => {
    this.listeners.push(listener);
    if (this.error) listener(this.error);
  };
}

/** Waits for a regular close, then destroys the connection. */
export async function closeWithin(closing: Promise<unknown>, destroy: () => void): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, CLOSE_TIMEOUT);
  });
  await Promise.race([closing.catch(() => {}), late]);
  clearTimeout(timer);
  destroy();
}

/**
 * Rejects with `late()` if `work` takes longer than `ms`. The time is counted in slices, so that an event loop that an
 * app's boot blocks for seconds costs one slice, not the whole deadline: the answer may already be in the socket.
 */
export async function within<T>(clock: Clock, ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  const slices = 10;
  let timer: Timer | undefined;
  const deadline = new Promise<never>((_, reject) => {
    const wait = (left: number) => {
      timer = clock.timeout(ms / slices, () => (left > 1 ? wait(left - 1) : reject(late())));
    };
    wait(slices);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    timer?.cancel();
  }
}
