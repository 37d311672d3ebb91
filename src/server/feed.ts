/**
 * Notifies listeners of events. A listener is added after the feed's owner was created, so that of two objects that
 * need each other, neither has to be passed to the other's constructor before it exists.
 */
export class Feed<T> {
  private readonly listeners: Array<(value: T) => unknown> = [];

  listen(listener: (value: T) => unknown): void {
    this.listeners.push(listener);
  }

  /** Calls every listener, in the order in which they were added. An error of a listener reaches the caller. */
  emit(value: T): void {
    for (const listener of this.listeners) listener(value);
  }

  /** The same, and waits for each of them. */
  async emitAndWait(value: T): Promise<void> {
    for (const listener of this.listeners) await listener(value);
  }
}
