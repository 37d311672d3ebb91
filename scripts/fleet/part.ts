import { type SpawnOptions, spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { identify, isAlive, type ProcessIdentity, signal } from './processes';
import { waitFor } from './wait';

export interface Command {
  program: string;
  args: string[];
  options?: SpawnOptions;
}

export interface PartOptions {
  /** What people call it. */
  name: string;
  logFile: string;
  command(): Command | Promise<Command>;
  /** Whether it does its work already; may throw to give up waiting. */
  ready(): Promise<boolean>;
  /** How long it may take to become ready, in milliseconds. */
  readyWithin: number;
  /** How often to ask, in milliseconds. */
  readyEvery?: number;
  stopSignal: NodeJS.Signals;
  /** How long it may take to end by itself before it is killed, in milliseconds. */
  stopWithin: number;
  /** Where the identity of the process is kept for other processes to find. */
  memory?: {
    get(): ProcessIdentity | null;
    set(identity: ProcessIdentity | null): void;
    /** Notes that the process has ended, and that nobody ended it. */
    lost(): void;
  };
}

/** A part that did not start or did not last, with the end of its log where it has one. */
export class PartError extends Error {
  constructor(
    readonly part: string,
    reason: string,
    log?: { file: string; lastLines: string[] },
  ) {
    const lines = log ? [...log.lastLines.map((line) => `  | ${line}`), `Log: ${log.file}`] : [];
    super([`${part} ${reason}`, ...lines].join('\n'));
    this.name = 'PartError';
  }
}

/** One process of a fleet: PostgreSQL, a Redis, or a NocoBase. */
export class Part {
  private ownIdentity: ProcessIdentity | null = null;
  /** Where in the log file the current run begins. */
  private logStart = 0;
  /** Greater than 0 while this object starts or ends the process. */
  private acts = 0;
  /** Of the last process that this object has started. */
  private end: Promise<string> | null = null;

  constructor(protected readonly options: PartOptions) {}

  get name(): string {
    return this.options.name;
  }

  get logFile(): string {
    return this.options.logFile;
  }

  get pid(): number | null {
    const { identity } = this;
    return isAlive(identity) ? identity!.pid : null;
  }

  get running(): boolean {
    return isAlive(this.identity);
  }

  /** Whether it has ended and nobody ended it. */
  get lost(): boolean {
    return !this.acts && this.identity !== null && !this.running;
  }

  /** The signal or the exit code with which the process has ended. */
  async howItEnded(): Promise<string> {
    return this.end ?? 'nobody knows how';
  }

  /** Returns when it does its work. */
  start(): Promise<void> {
    return this.act(async () => {
      if (this.running) throw new Error(`${this.name} is running already.`);
      if (this.identity) this.options.memory?.lost();
      await this.launch();
      await this.becomeReady();
    });
  }

  /** Asks it to end, and kills it if it does not. */
  stop(): Promise<void> {
    return this.act(async () => {
      if (this.running) {
        this.send(this.options.stopSignal);
        this.send('SIGCONT');
        await this.gone(this.options.stopWithin).catch(() => this.kill());
      }
      this.remember(null);
    });
  }

  /** `kill -9`: nothing is put in order. */
  kill(): Promise<void> {
    return this.act(async () => {
      if (this.running) {
        this.send('SIGKILL');
        await this.gone(5_000);
      }
      this.remember(null);
    });
  }

  async restart(): Promise<void> {
    await this.stop();
    await this.start();
  }

  /** Freezes it: its connections stay open and nothing answers. */
  pause(): void {
    this.send('SIGSTOP');
  }

  resume(): void {
    this.send('SIGCONT');
  }

  /** Brings it to work again, whatever was done to it. */
  async heal(): Promise<void> {
    this.resume();
    if (!this.running) await this.start();
  }

  failure(reason: string): PartError {
    return new PartError(this.name, reason, { file: this.logFile, lastLines: this.logTail() });
  }

  /** The last lines that its current run wrote. */
  logTail(lines = 20): string[] {
    const text = fs.existsSync(this.logFile) ? fs.readFileSync(this.logFile).subarray(this.logStart).toString() : '';
    return text.split('\n').filter(Boolean).slice(-lines);
  }

  private async act(work: () => Promise<void>): Promise<void> {
    this.acts++;
    try {
      await work();
    } finally {
      this.acts--;
    }
  }

  private async becomeReady(): Promise<void> {
    const { identity } = this;
    try {
      await waitFor(
        () => {
          if (!this.running) throw new Error('ended while it was starting.');
          return this.options.ready();
        },
        { timeout: this.options.readyWithin, interval: this.options.readyEvery, what: 'Becoming ready' },
      );
    } catch (error) {
      const failure = this.failure((error as Error).message);
      // Somebody else may have ended it meanwhile, and started it again.
      if (this.identity?.pid === identity?.pid) await this.kill();
      throw failure;
    }
  }

  private async launch(): Promise<void> {
    const { program, args, options } = await this.options.command();
    fs.mkdirSync(path.dirname(this.logFile), { recursive: true });
    const log = fs.openSync(this.logFile, 'a');
    this.logStart = fs.fstatSync(log).size;
    try {
      // A group of its own: Ctrl-C reaches the launcher alone, which stops the parts in order.
      const child = spawn(program, args, { ...options, detached: true, stdio: ['ignore', log, log] });
      await new Promise<void>((resolve, reject) => child.once('spawn', resolve).once('error', reject));
      child.unref();
      this.end = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`)));
      this.remember(identify(child.pid!));
    } finally {
      fs.closeSync(log);
    }
  }

  private send(name: NodeJS.Signals): void {
    const { identity } = this;
    if (identity) signal(identity, name);
  }

  private gone(timeout: number): Promise<true> {
    return waitFor(() => !this.running || null, { timeout, interval: 20, what: `The end of ${this.name}` });
  }

  /** Asked for each time: another process may have restarted this part. */
  private get identity(): ProcessIdentity | null {
    return this.options.memory ? this.options.memory.get() : this.ownIdentity;
  }

  private remember(identity: ProcessIdentity | null): void {
    this.ownIdentity = identity;
    this.options.memory?.set(identity);
  }
}
