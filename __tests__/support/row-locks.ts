type Mode = 'UPDATE' | 'SHARE';

interface Waiter<Holder> {
  holder: Holder;
  mode: Mode;
  resolve(): void;
  reject(error: Error): void;
}

interface Lock<Holder> {
  exclusive: Holder | null;
  shared: Set<Holder>;
  queue: Waiter<Holder>[];
}

/** Locks by name, in the order in which they were asked for; a circle of waiting ends with an error, as in PostgreSQL. */
export class RowLocks<Holder> {
  private readonly locks = new Map<string, Lock<Holder>>();

  acquire(holder: Holder, name: string, mode: Mode): Promise<void> {
    const lock = this.locks.get(name) ?? { exclusive: null, shared: new Set(), queue: [] };
    this.locks.set(name, lock);
    const holds = lock.exclusive === holder || lock.shared.has(holder);
    if ((holds || !lock.queue.length) && isFree(lock, holder, mode)) {
      grant(lock, holder, mode);
      return Promise.resolve();
    }
    if (this.waitsFor(lock, holder, new Set())) return Promise.reject(new Error('deadlock detected'));
    return new Promise((resolve, reject) => void lock.queue.push({ holder, mode, resolve, reject }));
  }

  /** Gives back all that a holder has, and ends its waiting. */
  release(holder: Holder): void {
    for (const [name, lock] of this.locks) {
      if (lock.exclusive === holder) lock.exclusive = null;
      lock.shared.delete(holder);
      for (const waiter of lock.queue) {
        if (waiter.holder === holder) waiter.reject(new Error('Connection terminated unexpectedly.'));
      }
      lock.queue = lock.queue.filter((waiter) => waiter.holder !== holder);
      while (lock.queue.length && isFree(lock, lock.queue[0].holder, lock.queue[0].mode)) {
        const next = lock.queue.shift()!;
        grant(lock, next.holder, next.mode);
        next.resolve();
      }
      if (!lock.exclusive && !lock.shared.size && !lock.queue.length) this.locks.delete(name);
    }
  }

  /** Whether one of those who have the lock waits, in the end, for `holder`. */
  private waitsFor(lock: Lock<Holder>, holder: Holder, seen: Set<Holder>): boolean {
    const holders = [...lock.shared, ...(lock.exclusive ? [lock.exclusive] : [])];
    for (const other of holders) {
      if (other === holder) {
        if (seen.size) return true;
        continue;
      }
      if (seen.has(other)) continue;
      seen.add(other);
      const waiting = [...this.locks.values()].filter(({ queue }) => queue.some((waiter) => waiter.holder === other));
      if (waiting.some((next) => this.waitsFor(next, holder, seen))) return true;
    }
    return false;
  }
}

const isFree = <Holder>({ exclusive, shared }: Lock<Holder>, holder: Holder, mode: Mode): boolean => {
  if (exclusive !== null && exclusive !== holder) return false;
  return mode === 'SHARE' || [...shared].every((other) => other === holder);
};

function grant<Holder>(lock: Lock<Holder>, holder: Holder, mode: Mode): void {
  if (mode === 'UPDATE') lock.exclusive = holder;
  else lock.shared.add(holder);
}
