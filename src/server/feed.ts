/**
 * Tells listeners that something happened. A listener is added after the feed's owner was made, so that of two objects that
 * need each other, neither has to be given to the other's constructor before it exists.
 */
export class Feed<T> {
  private readonly listeners: Array<(value: T) => unknown> = [];

  listen(listener: (value: T) => unknown): void {
    this.listeners.push(listener);
  }

  /** Calls every listener, in the order in which they were added. What one of them throws reaches the caller. */
  tell(value: T): void {
    for (const listener of this.listeners) listener(value);
  }

  /** The same, and waits for each of them. */
  async tellAndWait(value: T): Promise<void> {
    for (const listener of this.listeners) await listener(value);
  }
}
