import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { HOST } from '../../scripts/fleet';

/** A Redis that answers late, as in another data centre: a process between it and its clients, which counts their commands. */
export class SlowRedis {
  private constructor(
    private readonly child: ChildProcess,
    readonly url: string,
  ) {}

  /**
   * @param port of the real server
   * @param latency of a command in ms, there and back: half of it each way
   */
  static async start(port: number, latency: number): Promise<SlowRedis> {
    const file = path.join(path.dirname(fileURLToPath(import.meta.url)), 'slow-redis-process.ts');
    const child = fork(file, [String(port), String(latency / 2)], { execArgv: ['--import', 'tsx'] });
    const own = await answerOf(child);
    return new SlowRedis(child, `redis://${HOST}:${own}/0`);
  }

  /** Number of commands that its clients have sent. */
  async commands(): Promise<number> {
    const answer = answerOf(this.child);
    this.child.send('count');
    return answer;
  }

  end(): void {
    this.child.disconnect();
  }
}

const answerOf = (child: ChildProcess): Promise<number> =>
  new Promise((resolve, reject) => {
    const onExit = (code: number | null) => reject(new Error(`The slow Redis ended (${code}).`));
    child.once('exit', onExit);
    child.once('message', (answer: number) => {
      child.off('exit', onExit);
      resolve(answer);
    });
  });
