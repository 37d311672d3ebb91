import type { Dialect } from '../../src/server/databases/dialect';
import { AppSupervisorError } from '../../src/server/errors';
import type { HostingAuthority } from '../../src/server/worker/hosting/claim';
import type { HostDatabase } from '../../src/server/worker/hosting/host-database';
import type { AppRecord } from '../../src/shared/messages';
import type { MemorySession, ServerSession } from '../support/memory-server';
import type { Ground } from './ground';
import type { Machine } from './scheduler';

/** How long an app waits until it asks for a connection again, in ms. */
const TRIES_AGAIN = 1_000;

type Hook = (...args: unknown[]) => unknown;

/** The connection of one app in one process to its database, as Sequelize makes it: with the hooks that the plugin has given it. */
export class PlayedPool {
  private session: MemorySession | null = null;
  private isClosed = false;
  /** When the server ended it, or refused another one, in true ms; null while it works. */
  refusedAt: number | null = null;
  /** Whether the role of the app has a password by now that this process does not know: so nothing tells it who hosts the app. */
  isShutOut = false;

  constructor(
    readonly options: HostDatabase,
    readonly record: AppRecord,
    readonly authority: HostingAuthority,
    readonly machine: Machine,
    private readonly ground: Ground,
    private readonly newest: () => AppRecord,
  ) {
    ground.pools.add(this);
  }

  get place(): string {
    return String(this.options.database);
  }

  get app(): string {
    return this.record.name;
  }

  /** The incarnation of the app. */
  get uid(): string {
    return this.record.uid;
  }

  get user(): string {
    return this.options.username ?? '';
  }

  /** Whether it would try this password. */
  knows(password: string): boolean {
    const { database } = this.newest();
    return [this.record.database.password, database.password, database.nextPassword].includes(password);
  }

  /** @throws what the hooks throw, and errors of the driver */
  async connect(): Promise<void> {
    if (this.session) return;
    const { hooks, driver, database } = this.options as HostDatabase & {
      driver: Dialect;
      hooks: Record<string, unknown>;
    };
    const call = async (hook: string, ...args: unknown[]) => {
      for (const one of [hooks?.[hook] ?? []].flat() as Hook[]) await one(...args);
    };
    const config = { ...this.options };
    await call('beforeConnect', config);
    const opened = (await driver.connect(config, database ?? null, this.app)) as MemorySession;
    await call('afterConnect', opened, config);
    if (this.isClosed) return void opened.end();
    this.session = opened;
    this.refusedAt = null;
    opened.onLost(() => void this.reconnect());
    // It may have been ended meanwhile.
    if (opened.at.isOver) this.ended(opened.at);
  }

  /** The app's own statements. */
  async query(sql: string, params: readonly unknown[] = []): Promise<unknown> {
    await this.connect();
    return this.session?.query(sql, params);
  }

  /** The server has ended a session: a process that is frozen finds that out when it goes on; it does not write until then. */
  ended(session: ServerSession): void {
    if (this.session?.at !== session) return;
    this.session = null;
    this.refusedAt ??= this.ground.options.scheduler.now;
  }

  close(): void {
    this.isClosed = true;
    this.ground.pools.delete(this);
    void this.session?.end();
  }

  /** The app goes on, and asks for a connection until it has one, or is ended. */
  private async reconnect(): Promise<void> {
    while (!this.isClosed && !this.session) {
      try {
        await this.connect();
      } catch (error) {
        this.refusedAt ??= this.ground.options.scheduler.now;
        const { driver } = this.options as HostDatabase & { driver: Dialect };
        this.isShutOut = driver.faultOf(error) === 'signIn';
        if (error instanceof AppSupervisorError && error.code === 'HOSTING_LOST') {
          this.ground.options.note(`${this.machine.name} is refused the database of ${this.app}`);
          if (!this.isClosed) this.ground.endBoots(this.machine.name, this.options.database);
        }
        await this.machine.sleep(TRIES_AGAIN);
      }
    }
  }
}
