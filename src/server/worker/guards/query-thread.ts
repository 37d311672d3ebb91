import { Worker } from 'node:worker_threads';
import type { Clock, Timer } from '../../clock';
import { AppSupervisorError } from '../../errors';

/** One evaluation: which library, what it evaluates, and the data as JSON; absent: none. */
export interface Query {
  engine: string;
  expression: unknown;
  data?: string;
}

/** The libraries that a thread evaluates with, by the names that the node uses. The values are their files. */
export type QueryLibraries = Record<'jmespath' | 'jsonpathplus' | 'jsonata', string>;

type Answer = { ready: true } | { json?: string } | { error: { message: string } & Record<string, unknown> };

/** A thread without work ends after this time, in ms. */
const IDLE = 60_000;
/** How long a thread may take to begin, in ms. */
const BEGINS_WITHIN = 30_000;
/** What an expression may use, in MB. */
const MEMORY = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 };

/**
 * The code of the thread. Only its text is used, so it refers to nothing of this module.
 *
 * An expression gets no way to code: jsonpath-plus evaluates none, and no function leads to a constructor of functions.
 */
function answerQueries(load: (module: string) => any): void {
  const { parentPort, workerData } = load('node:worker_threads');
  const jmespath = load(workerData.jmespath);
  const { JSONPath } = load(workerData.jsonpathplus);
  const jsonata = load(workerData.jsonata);
  const engines: Record<string, (expression: any, data: unknown) => unknown> = {
    jmespath: (expression, data) => jmespath.search(data, expression),
    jsonpathplus: (path, json) => JSONPath({ path, json, wrap: false, eval: false }),
    jsonata: (expression, data) => jsonata(expression).evaluate(data),
  };
  for (const each of [() => 0, async () => 0, function* () {}, async function* () {}])
    Object.defineProperty(Object.getPrototypeOf(each), 'constructor', { value: undefined });
  parentPort.on('message', async ({ engine, expression, data }: Query) => {
    try {
      const result = await engines[engine](expression, data === undefined ? undefined : JSON.parse(data));
      parentPort.postMessage({ json: JSON.stringify(result) });
    } catch (error: any) {
      const details = Object.entries(error ?? {}).filter(([, value]) => /^(string|number)$/.test(typeof value));
      const message = String(error?.message ?? error);
      parentPort.postMessage({ error: { ...Object.fromEntries(details), message } });
    }
  });
  parentPort.postMessage({ ready: true });
}

/** The thread of one app, in which the expressions of its workflows are evaluated, one after the other. */
export class QueryThread {
  private worker: Worker | null = null;
  private last: Promise<unknown> = Promise.resolve();
  private idle: Timer | null = null;

  /** @param limit the most that an evaluation may take, in ms */
  constructor(
    private readonly libraries: QueryLibraries,
    private readonly limit: number,
    private readonly clock: Clock,
  ) {}

  /**
   * Evaluates after what was asked for before.
   * @throws AppSupervisorError TOOK_TOO_LONG, and what the library throws
   */
  run(query: Query): Promise<unknown> {
    const turn = this.last.then(() => this.evaluate(query));
    this.last = turn.catch(() => undefined);
    return turn;
  }

  private async evaluate(query: Query): Promise<unknown> {
    this.idle?.cancel();
    try {
      if (!this.worker) await this.begin();
      const answer = await this.answer(this.limit, () => this.worker?.postMessage(query));
      // The node shows the stack to the app's administrator, and its files are of the host.
      if ('error' in answer)
        throw Object.assign(new Error(answer.error.message), answer.error, { stack: answer.error.message });
      return 'json' in answer && answer.json !== undefined ? JSON.parse(answer.json) : undefined;
    } finally {
      this.idle = this.clock.timeout(IDLE, () => this.end());
    }
  }

  private async begin(): Promise<void> {
    const worker = new Worker(`(${answerQueries})(require)`, {
      eval: true,
      workerData: this.libraries,
      env: {},
      execArgv: [],
      resourceLimits: MEMORY,
    });
    worker.unref();
    this.worker = worker;
    await this.answer(BEGINS_WITHIN, () => undefined);
  }

  /** The thread's next message. It is ended if it says nothing in time, so that nothing goes on in it. */
  private async answer(limit: number, ask: () => void): Promise<Answer> {
    const { worker } = this;
    if (!worker) throw new Error('The thread has ended.');
    let timer: Timer | undefined;
    try {
      return await new Promise<Answer>((resolve, reject) => {
        const late = () => reject(new AppSupervisorError('TOOK_TOO_LONG', { ms: limit }));
        timer = this.clock.timeout(limit, late);
        worker.once('message', resolve).once('error', reject);
        worker.once('exit', () => reject(new Error('The thread has ended.')));
        ask();
      });
    } catch (error) {
      this.end();
      throw error;
    } finally {
      timer?.cancel();
      for (const event of ['message', 'error', 'exit']) worker.removeAllListeners(event);
      worker.on('error', () => undefined);
    }
  }

  private end(): void {
    void this.worker?.terminate();
    this.worker = null;
  }
}
