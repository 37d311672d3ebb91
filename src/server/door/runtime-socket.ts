import net from 'node:net';
import { Feed } from '../feed';

/** What ends each answer in HAProxy's interactive mode. */
const PROMPT = '\n> ';
/** How the master answers, in a short text, for a process that has ended. */
const ENDED = "Can't find the target PID";

/**
 * One connection to the runtime socket of HAProxy, which stays with the process that accepted it until that ends, also after a reload: its
 * end is the end of the process. A process that is slow to answer has not ended.
 *
 * A connection to the master, or by way of it to a process, ends with each reload, too.
 */
export class RuntimeSocket {
  readonly end = new Feed<void>();
  isOpen = true;
  private text = '';
  /** In the order in which the commands were sent. */
  private readonly waiting: Array<{ resolve(answer: string): void; reject(error: Error): void }> = [];

  private constructor(
    private readonly socket: net.Socket,
    private readonly prompt = PROMPT,
  ) {
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => this.take(text));
    socket.on('error', () => undefined);
    socket.on('close', () => this.lose());
  }

  /** @throws if nobody listens there */
  static async open(path: string): Promise<RuntimeSocket> {
    const opened = new RuntimeSocket(await connected(path));
    await opened.ask('prompt');
    return opened;
  }

  /**
   * To the master of HAProxy, or by way of it to one of its processes. It ends with each reload, too.
   * @param pid of the process; absent: the master itself
   * @throws if the master does not answer, or there is no such process
   */
  static async openMaster(path: string, pid?: number): Promise<RuntimeSocket> {
    const opened = new RuntimeSocket(await connected(path), `${pid ?? 'master'}> `);
    await opened.write(pid === undefined ? ['prompt'] : [`prompt\n@!${pid}`]);
    return opened;
  }

  /**
   * @param commands each of them one command
   * @returns the answers in their order, without surrounding white space
   * @throws if the process ends before it has answered all of them
   */
  async send(commands: readonly string[]): Promise<string[]> {
    for (const command of commands) {
      if (/[\r\n;\\]/.test(command)) throw new Error(`This is not one command: ${JSON.stringify(command)}`);
    }
    if (!this.isOpen) throw new Error('HAProxy has ended.');
    return this.write(commands);
  }

  private write(commands: readonly string[]): Promise<string[]> {
    const answers = commands.map(
      () => new Promise<string>((resolve, reject) => this.waiting.push({ resolve, reject })),
    );
    this.socket.write(commands.map((command) => `${command}\n`).join(''));
    return Promise.all(answers);
  }

  /** @throws as `send` */
  async ask(command: string): Promise<string> {
    return (await this.send([command]))[0];
  }

  close(): void {
    this.socket.destroy();
  }

  private take(text: string): void {
    const answers = (this.text + text).split(this.prompt);
    this.text = answers.pop() as string;
    if ([...answers, this.text].some((answer) => answer.length < 200 && answer.includes(ENDED))) this.close();
    else for (const answer of answers) this.waiting.shift()?.resolve(answer.trim());
  }

  private lose(): void {
    this.isOpen = false;
    for (const { reject } of this.waiting.splice(0)) reject(new Error('HAProxy has ended.'));
    this.end.emit();
  }
}

/**
 * One command to the master of HAProxy, which closes the connection after its answer.
 * @throws if it does not answer: it is not there, or is executed anew, as it is right after its start and for each reload
 */
export async function askMaster(path: string, command: string): Promise<string> {
  const socket = await connected(path);
  return new Promise((resolve, reject) => {
    let answer = '';
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      answer += text;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      if (answer.trim()) resolve(answer.trim());
      else reject(new Error('The master of HAProxy has not answered.'));
    });
    socket.write(`${command}\n`);
  });
}

function connected(path: string): Promise<net.Socket> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(path, () => {
      socket.off('error', reject);
      resolve(socket);
    });
    socket.once('error', reject);
  });
}
