import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Answered, Ask } from './messages';

const HERE = path.dirname(fileURLToPath(import.meta.url));

/** The process of simulated Workers, as seen by the benchmark. */
export class Simulation {
  private readonly child: ChildProcess;
  private readonly waiting = new Map<number, (answer: Answered) => void>();
  private asked = 0;

  constructor() {
    this.child = fork(path.join(HERE, 'workers.ts'), {
      // One process has the memory of hundreds of Workers.
      execArgv: ['--max-old-space-size=8192', '--require', path.join(HERE, 'lua-as-text.cjs'), '--import', 'tsx'],
    });
    this.child.on('message', (answer: Answered) => this.waiting.get(answer.id)?.(answer));
    this.child.on('exit', (code) => {
      for (const [id, end] of this.waiting) end({ id, error: `The simulated Workers ended (${code}).` });
    });
  }

  async ask(ask: Ask): Promise<Answered> {
    const id = ++this.asked;
    const answer = await new Promise<Answered>((resolve) => {
      this.waiting.set(id, resolve);
      this.child.send({ id, ask });
    });
    this.waiting.delete(id);
    if (answer.error) throw new Error(answer.error);
    return answer;
  }

  get pid(): number {
    return this.child.pid as number;
  }

  end(): void {
    this.child.disconnect();
  }
}
