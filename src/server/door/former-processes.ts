import path from 'node:path';
import { HAProxyProcess } from './haproxy-process';
import { MASTER_SOCKET } from './rules/place';
import { RuntimeSocket } from './runtime-socket';

/**
 * Processes of HAProxy that finish what they began before a reload. HAProxy's master names also those that this program has not seen, because
 * somebody else has reloaded HAProxy, or this program was not running; they are asked through the master.
 */
export class FormerProcesses {
  /** False while there may be others. */
  areAll = false;
  /** How often others may have come. */
  private doubts = 0;
  private isAsking = false;
  private readonly processes = new Set<HAProxyProcess>();

  /** @param folder with the files and sockets of HAProxy */
  constructor(private readonly folder: string) {}

  [Symbol.iterator](): IterableIterator<HAProxyProcess> {
    return this.processes.values();
  }

  get size(): number {
    return this.processes.size;
  }

  add(process: HAProxyProcess): void {
    this.processes.add(process);
  }

  /** It has ended. */
  delete(process: HAProxyProcess): void {
    this.processes.delete(process);
  }

  /** HAProxy was reloaded, or started, or is met for the first time. */
  doubt(): void {
    this.doubts++;
    this.areAll = false;
  }

  /**
   * Asks the master whether these are all, unless that is known. Never rejects: one that is executed anew answers the next time.
   * @param current the pid of the process that serves
   */
  async find(current: number): Promise<void> {
    if (this.areAll || this.isAsking) return;
    this.isAsking = true;
    const { doubts } = this;
    const areTaken = await this.takeAll(current).catch(() => false);
    this.areAll = areTaken && doubts === this.doubts;
    this.isAsking = false;
  }

  /** @returns whether all of them answer @throws if the master does not */
  private async takeAll(current: number): Promise<boolean> {
    const socket = await RuntimeSocket.openMaster(this.master);
    const [, former = ''] = (await socket.ask('show proc').finally(() => socket.close())).split('# old workers\n');
    const pids = [...former.split('#')[0].matchAll(/^(\d+)\s+worker\s/gm)].map(([, pid]) => Number(pid));
    let areTaken = true;
    for (const pid of pids) if (pid !== current) areTaken = (await this.take(pid)) && areTaken;
    for (const process of this.processes) {
      if (!process.socket.isOpen && !pids.includes(process.identity.pid)) this.delete(process);
    }
    return areTaken;
  }

  /** A reload closes the connections through the master: a process has not ended with its connection. */
  private async take(pid: number): Promise<boolean> {
    const known = [...this.processes].find(({ identity }) => identity.pid === pid);
    if (known?.socket.isOpen) return true;
    const socket = await RuntimeSocket.openMaster(this.master, pid).catch(() => null);
    const found = socket && (await HAProxyProcess.at(socket, this.folder).catch(() => null));
    if (!found) return false;
    if (known) this.delete(known);
    this.add(found);
    found.socket.end.listen(() => this.doubt());
    return true;
  }

  private get master(): string {
    return path.join(this.folder, MASTER_SOCKET);
  }
}
