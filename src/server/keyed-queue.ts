import PQueue from 'p-queue';

/** One queue for each key: work for one key runs one after the other, work for different keys at the same time. */
export class KeyedQueue {
  private readonly queues = new Map<string, PQueue>();

  /** @returns the result of `work`, or its error */
  add<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.queueOf(key).add(work);
  }

  /** Whether work for this key runs or waits. */
  isBusy(key: string): boolean {
    return this.queues.has(key);
  }

  /** Resolves when no work for this key runs or waits. */
  async idle(key: string): Promise<void> {
    await this.queues.get(key)?.onIdle();
  }

  private queueOf(key: string): PQueue {
    let queue = this.queues.get(key);
    if (!queue) {
      queue = new PQueue({ concurrency: 1 });
      queue.once('idle', () => this.queues.delete(key));
      this.queues.set(key, queue);
    }
    return queue;
  }
}
