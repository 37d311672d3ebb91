import { createHook, executionAsyncResource } from 'node:async_hooks';
import { z } from 'zod';

const app = z.string();

/** What the event loop of this process is busy with, as far as it is an app's. */
export const work = z.union([
  z.object({ app, kind: z.enum(['start', 'stop', 'request', 'background']) }),
  z.object({ app, kind: z.literal('node'), type: z.string(), node: z.string(), workflow: z.string() }),
]);
export type Work = z.infer<typeof work>;

/** Notes what the loop works on, so that it can be named if the loop never turns again. */
export interface WorkLog {
  /** Runs work; what it begins and what goes on later of it is its, too. */
  run<T>(work: Work, run: () => T): T;
  /** The same for the start of an app. What it has begun is the app's work in the background once the start has ended. */
  runStart<T>(app: string, run: () => Promise<T>): Promise<T>;
  /** From which incarnation and boot the app is that starts. */
  noteStart(app: string, uid: string, boot: number): void;
}

/** Where nothing watches the loop. */
export const NO_WORK_LOG: WorkLog = {
  run: (_, run) => run(),
  runStart: (_, run) => run(),
  noteStart: () => undefined,
};

/** What the thread is told. */
export type WorkNote = { id: number; work: Work } | { start: { app: string; uid: string; boot: number } };

const MARK = Symbol('the work of App Supervisor');
type Marked = { [MARK]?: number };

/**
 * Writes a number into shared memory whenever the loop goes on with the work of another app: each callback and each promise
 * carries the number of the work that made it. 0 is work of no app.
 */
export class WorkMarks implements WorkLog {
  private readonly ids = new Map<string, number>();
  private last = 0;

  /**
   * @param cell the shared memory, whose first number it writes
   * @param tell what a number stands for
   */
  constructor(
    private readonly cell: Int32Array,
    private readonly tell: (note: WorkNote) => void,
  ) {
    createHook({
      init(_id, _type, _trigger, resource: Marked) {
        const mark = (executionAsyncResource() as Marked)[MARK];
        if (mark !== undefined) resource[MARK] = mark;
      },
      before() {
        cell[0] = (executionAsyncResource() as Marked)[MARK] ?? 0;
      },
    }).enable();
  }

  run<T>(work: Work, run: () => T): T {
    const key = JSON.stringify(work);
    const id = this.ids.get(key) ?? this.named(work);
    this.ids.set(key, id);
    return this.marked(id, run);
  }

  async runStart<T>(app: string, run: () => Promise<T>): Promise<T> {
    const id = this.named({ app, kind: 'start' });
    try {
      return await this.marked(id, run);
    } finally {
      this.tell({ id, work: { app, kind: 'background' } });
    }
  }

  noteStart(app: string, uid: string, boot: number): void {
    this.tell({ start: { app, uid, boot } });
  }

  private named(work: Work): number {
    this.tell({ id: ++this.last, work });
    return this.last;
  }

  private marked<T>(id: number, run: () => T): T {
    const resource = executionAsyncResource() as Marked;
    const before = resource[MARK];
    resource[MARK] = this.cell[0] = id;
    try {
      return run();
    } finally {
      resource[MARK] = before;
      this.cell[0] = before ?? 0;
    }
  }
}
