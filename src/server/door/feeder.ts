import { networkInterfaces } from 'node:os';
import { DOOR_REPORT_EVERY, type DoorReport } from '../../shared/door-report';
import type { Routes } from '../../shared/routes';
import { type Clock, type Timer, within } from '../clock';
import type { DoorConfig } from '../config/door';
import { messageOf } from '../errors';
import type { Log } from '../log';
import { DoorLink } from '../protocol/door-link';
import type { Random } from '../random';
import { Certificates } from './certificates';
import { DoorDisk } from './disk';
import { HAProxy } from './haproxy';
import { Reporter } from './reporter';
import { CONFIGURATION } from './rules/place';
import { wantedOf } from './wanted';

/** How often the table is asked for changes, in ms: one small command. */
const READ_EVERY = 150;
/** How often the folder of certificates is looked at, in ms. */
const CERTIFICATES_EVERY = 2_000;
/** How long a good-bye may take, in ms. */
const GOODBYE_WITHIN = 1_000;

const hasIPv6 = (): boolean =>
  Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ family }) => family === 'IPv6'));

/** Keeps HAProxy as the table says that was read last, and tells the Supervisor of it. */
export class Feeder {
  private readonly disk: DoorDisk;
  private readonly haproxy: HAProxy;
  private readonly certificates: Certificates;
  private readonly link: DoorLink;
  private readonly reporter: Reporter;
  private timers: Timer[] = [];
  private routes: Routes | null;
  /** When the table was last known to be the newest, by the monotonic clock. */
  private knownAt: number | null = null;
  private isReading = false;
  /** HAProxy goes on with what it has: there is no table that this release understands, until Redis has one. */
  private isHeld: boolean;
  /** Whether there ever was a table. */
  private readonly hasCount: boolean;

  /** @throws if its folder cannot be made, or the public key is none */
  constructor(
    private readonly config: DoorConfig,
    private readonly version: string,
    private readonly log: Log,
    private readonly clock: Clock,
    random: Random,
  ) {
    this.disk = new DoorDisk(config.folder);
    const kept = this.disk.table();
    this.routes = kept?.routes ?? null;
    this.hasCount = kept !== null;
    this.isHeld = !this.routes && this.disk.read(CONFIGURATION) !== null;
    this.haproxy = new HAProxy(this.disk, log, clock);
    this.certificates = new Certificates(config.certificates, this.disk, log);
    this.reporter = new Reporter(this.disk, this.haproxy, random);
    const { redis, publicKey } = config;
    this.link = new DoorLink({ address: redis.stateUrl, prefix: redis.prefix, publicKey, kept, log, clock });
  }

  /** From what is on disk, without waiting for anything. */
  start(): void {
    this.certificates.look(this.clock.now().wall);
    void this.apply();
    this.haproxy.refusals.listen((answer) => {
      if (this.certificates.refuse(answer)) void this.apply();
    });
    this.haproxy.open();
    this.link.open();
    this.timers = [
      this.clock.interval(READ_EVERY, () => void this.read()),
      this.clock.interval(CERTIFICATES_EVERY, () => {
        if (this.certificates.look(this.clock.now().wall)) void this.apply();
      }),
      this.clock.interval(DOOR_REPORT_EVERY, () => void this.report()),
    ];
    const apps = this.routes?.apps.size;
    this.log.info(apps === undefined ? 'Ready, without a table yet.' : `Ready with the table on disk: ${apps} apps.`);
  }

  /** HAProxy serves on. */
  async stop(): Promise<void> {
    for (const timer of this.timers) timer.cancel();
    const goodbye = this.link.reports.remove(this.reporter.id).catch(() => undefined);
    await within(this.clock, GOODBYE_WITHIN, goodbye, undefined);
    this.haproxy.close();
    this.link.close();
  }

  private async apply(): Promise<void> {
    if (this.isHeld) return;
    return this.haproxy.want(wantedOf(this.config, this.routes, this.certificates.texts, hasIPv6()));
  }

  /** Never rejects: Redis may be away. */
  private async read(): Promise<void> {
    if (this.isReading) return;
    this.isReading = true;
    try {
      const found = await this.link.routes.read();
      if (found === 'changed' || found === 'same') this.knownAt = this.clock.now().mono;
      if (found === 'changed') await this.take(this.link.routes.routes as Routes);
      else if (found === 'none' && this.isHeld && !this.hasCount) await this.release();
    } catch {
      // The connection says so.
    } finally {
      this.isReading = false;
    }
  }

  /** There is no table anywhere: everything is left to the Supervisor. */
  private release(): Promise<void> {
    this.isHeld = false;
    return this.apply();
  }

  private async take(routes: Routes): Promise<void> {
    this.routes = routes;
    this.isHeld = false;
    await this.apply();
    try {
      this.disk.keep(routes, this.link.routes.at);
    } catch (error) {
      this.log.error(`The table cannot be kept on disk: ${messageOf(error)}`);
    }
  }

  /** Never rejects: what could not be told is in the next report. */
  private async report(): Promise<void> {
    try {
      await this.link.reports.write(await this.current());
    } catch {
      // The connection says so.
    }
  }

  private current(): Promise<DoorReport> {
    const { routes, knownAt, config } = this;
    const age = knownAt === null ? 0 : Math.round(this.clock.now().mono - knownAt);
    return this.reporter.report({
      version: this.version,
      routes,
      table: routes && { count: routes.count, age },
      isSecure: config.https !== null,
      certificates: this.certificates.found,
    });
  }
}
