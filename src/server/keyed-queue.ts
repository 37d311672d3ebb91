import PQueue from 'p-queue';

/** One queue for each key: what is added for one key is done one after the other, what is added for others meanwhile. */
export class KeyedQueue {
  private readonly queues = new Map<string, PQueue>();

  /** @returns what `work` returns or throws */
  add<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.queueOf(key).add(work);
  }

  /** Whether something of this key is under way or waits. */
  isBusy(key: string): boolean {
    return this.queues.has(key);
  }

  /** Resolves when nothing of this key is under way or waits. */
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
