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
  /** Its name for people. */
  name: string;
  logFile: string;
  command(): Command | Promise<Command>;
  /** Whether it is ready; may throw to stop waiting. */
  ready(): Promise<boolean>;
  /** Maximum time to become ready, in milliseconds. */
  readyWithin: number;
  /** Interval of the checks, in milliseconds. */
  readyEvery?: number;
  stopSignal: NodeJS.Signals;
  /** Maximum time to end by itself before it is killed, in milliseconds. */
  stopWithin: number;
  /** How soon it is started again where it has ended by itself, in milliseconds. */
  restartAfter?: number;
  /** Where the identity of the process is stored for other processes. */
  memory?: {
    get(): ProcessIdentity | null;
    set(identity: ProcessIdentity | null): void;
    /** Records that the process has ended although nobody ended it. */
    lost(): void;
  };
}

/** A part that did not start or exited, with the end of its log if it has one. */
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
  /** Of the last process that this object started. */
  private end: Promise<string> | null = null;

  constructor(protected readonly options: PartOptions) {}

  get name(): string {
    return this.options.name;
  }

  get restartAfter(): number {
    return this.options.restartAfter ?? 5_000;
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

  /** Whether it has ended although nobody ended it. */
  get lost(): boolean {
    return !this.acts && this.identity !== null && !this.running;
  }

  /** The signal or the exit code with which the process has ended. */
  async howItEnded(): Promise<string> {
    return this.end ?? 'nobody knows how';
  }

  /** Returns when it is ready. */
  start(): Promise<void> {
    return this.act(async () => {
      if (this.running) throw new Error(`${this.name} is running already.`);
      if (this.identity) this.options.memory?.lost();
      await this.launch();
      await this.becomeReady();
    });
  }

  /** Requests it to end, and kills it if it does not. */
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

  /** `kill -9`, without any cleanup. */
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

  /** Freezes it: its connections stay open and do not answer. */
  pause(): void {
    this.send('SIGSTOP');
  }

  resume(): void {
    this.send('SIGCONT');
  }

  /** Makes it run again, whatever was done to it. */
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
      // Another process may have ended and restarted it meanwhile.
      if (this.identity?.pid === identity?.pid) await this.kill();
      throw failure;
    }
  }

  private async launch(): Promise<void> {
    const { program, args, options } = await this.options.command();
    fs.mkdirSync(path.dirname(this.logFile), { recursive: true });
    const log = fs.openSync(this.logFile, 'a', 0o600);
    fs.fchmodSync(log, 0o600); // of a file that an earlier release has made
    this.logStart = fs.fstatSync(log).size;
    try {
      // Its own process group: Ctrl-C reaches only the launcher, which stops the parts in order.
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

  /** Read each time, because another process may have restarted this part. */
  private get identity(): ProcessIdentity | null {
    return this.options.memory ? this.options.memory.get() : this.ownIdentity;
  }

  private remember(identity: ProcessIdentity | null): void {
    this.ownIdentity = identity;
    this.options.memory?.set(identity);
  }
}
