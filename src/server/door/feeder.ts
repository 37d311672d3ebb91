import type { Routes } from '../../shared/routes';
import type { Clock } from '../clock';
import type { DoorConfig } from '../config/door';
import type { Log } from '../log';
import { DoorDisk } from './disk';
import { HAProxy } from './haproxy';
import { wantedOf } from './wanted';

/** Keeps HAProxy as the table says. */
export class Feeder {
  private readonly disk: DoorDisk;
  private readonly haproxy: HAProxy;
  private readonly routes: Routes | null;

  /** @throws if its folder cannot be made */
  constructor(
    private readonly config: DoorConfig,
    private readonly log: Log,
    clock: Clock,
  ) {
    this.disk = new DoorDisk(config.folder);
    this.haproxy = new HAProxy(this.disk, log, clock);
    this.routes = this.disk.table();
  }

  /** From what is on disk, without waiting for anything. */
  start(): void {
    void this.haproxy.want(wantedOf(this.config, this.routes, null));
    this.haproxy.open();
    const apps = this.routes?.apps.size;
    this.log.info(apps === undefined ? 'Ready, without a table yet.' : `Ready with the table on disk: ${apps} apps.`);
  }

  /** HAProxy serves on. */
  async stop(): Promise<void> {
    this.haproxy.close();
  }
}
