import path from 'node:path';
import type { Clock, Timer } from '../clock';
import { messageOf } from '../errors';
import { Feed } from '../feed';
import type { Log } from '../log';
import type { DoorDisk } from './disk';
import { FormerProcesses } from './former-processes';
import { HAProxyFiles, mapsOf } from './haproxy-files';
import { HAProxyProcess, type Identity } from './haproxy-process';
import { haproxyArguments, MASTER_SOCKET, SOCKET } from './rules/place';
import { askMaster, RuntimeSocket } from './runtime-socket';
import type { Wanted } from './wanted';

/** The oldest release whose reload answers, and whose rules are ours. */
const OLDEST = [3, 0];
/** How often HAProxy is looked for, and after its own reloads, in ms. */
const LOOK_EVERY = 250;
/** A configuration that HAProxy did not take is offered again after this time, in ms. */
const REFUSED_FOR = 10_000;
/** One that is away for less may only be starting, in ms. */
const MISSED_AFTER = 10_000;

/** Whether a process that was found can be driven. */
export const isTooOld = (version: string): boolean => {
  const [major, minor] = version.split('.').map(Number);
  return major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1]);
};

/**
 * HAProxy, which somebody else starts, ends and starts again: the launcher, systemd, or a container. It serves by what it has read, whether
 * this object is there or not; this object finds it, and makes it what is wanted.
 */
export class HAProxy {
  /** A process is about to end: what it has counted can still be asked for. */
  readonly farewells = new Feed<HAProxyProcess>();
  /** It has refused files, with its answer; those that it took last are on the disk again. */
  readonly refusals = new Feed<string>();
  /** Why the last configuration was not taken; null: it was. */
  refusal: string | null = null;
  /** Null: it does not run. */
  current: HAProxyProcess | null = null;
  /** Those that finish what they began before a reload. */
  readonly former: FormerProcesses;
  private wanted: Wanted | null = null;
  private refused: { mark: string; at: number } | null = null;
  private timer: Timer | null = null;
  private turn: Promise<void> = Promise.resolve();
  private isWaiting = false;
  private complaint = '';
  /** By the monotonic clock; null: it runs. */
  private awaySince: number | null = null;

  private readonly files: HAProxyFiles;

  constructor(
    disk: DoorDisk,
    private readonly log: Log,
    private readonly clock: Clock,
  ) {
    this.files = new HAProxyFiles(disk);
    this.former = new FormerProcesses(disk.folder);
  }

  /** Looks for it from now on. */
  open(): void {
    this.timer = this.clock.interval(LOOK_EVERY, () => void this.look());
  }

  close(): void {
    this.timer?.cancel();
    for (const { socket } of [...this.former, ...(this.current ? [this.current] : [])]) socket.close();
  }

  /**
   * Writes what HAProxy reads, and brings every process to it. The last of several calls decides.
   * Never rejects: what could not be done is logged, and done as soon as it can be.
   */
  want(wanted: Wanted): Promise<void> {
    this.wanted = wanted;
    return this.look();
  }

  /** One after the other; of those that wait, one is enough. */
  private look(): Promise<void> {
    if (this.isWaiting) return this.turn;
    this.isWaiting = true;
    this.turn = this.turn.then(async () => {
      this.isWaiting = false;
      try {
        this.complain(this.missed(await this.lookOnce()));
      } catch (error) {
        this.complain(messageOf(error));
      }
    });
    return this.turn;
  }

  /** Empty: it runs, or it or its master may be starting. */
  private missed(silence: string): string {
    const { mono } = this.clock.now();
    this.awaySince = this.current && !silence ? null : (this.awaySince ?? mono);
    if (this.awaySince === null || mono - this.awaySince < MISSED_AFTER) return '';
    return `${this.current ? `The master of HAProxy does not answer (${silence})` : 'HAProxy does not run'}. Start version ${OLDEST.join('.')} or later by "haproxy ${haproxyArguments(this.files.folder).join(' ')}".`;
  }

  /** @returns why its master has not answered; empty: it has, or was not asked */
  private async lookOnce(): Promise<string> {
    await this.find();
    const { wanted, current } = this;
    if (current) void this.former.find(current.identity.pid);
    if (!wanted) return '';
    const isRead = current?.mark === wanted.mark;
    const isRefused = !isRead && this.isRefused(wanted.mark);
    // What runs is changed first: writing takes longer.
    const refusal = current && (isRead || isRefused) ? await failureOf(this.bring(current, wanted)) : null;
    for (const process of this.former) await failureOf(this.bring(process, wanted));
    this.files.write(isRefused ? mapsOf(wanted.files) : wanted.files);
    if (isRead) this.files.accept(wanted);
    let silence = '';
    if (isRead && !refusal) this.refusal = null;
    else if (current && !isRefused) silence = await this.reload(wanted);
    // Of a process that did not take a line it is not known what it has: another one has read all of them now.
    if (refusal) throw refusal;
    return silence;
  }

  /** Whether it is not offered again: soon after it was refused, or while nobody could refuse it. */
  private isRefused(mark: string): boolean {
    if (this.refused?.mark !== mark) return false;
    return !this.current || this.clock.now().mono - this.refused.at < REFUSED_FOR;
  }

  private async bring(process: HAProxyProcess, { maps }: Wanted): Promise<void> {
    const began = this.clock.now().mono;
    const changed = await process.bring(maps, this.files.folder);
    if (changed) this.log.debug(`Changed ${changed} lines in ${Math.round(this.clock.now().mono - began)} ms.`);
  }

  /** Finds a process where there is none yet, or where another one has followed it. */
  private async find(): Promise<void> {
    for (const process of this.former) {
      const state = await process.state().catch(() => null);
      if (state?.isDone) await this.farewells.emitAndWait(process).then(() => process.socket.close());
    }
    const { current } = this;
    if (current) {
      const state = await current.state().catch(() => null);
      if (!state || state.isLeaving) this.leave(current);
    }
    if (this.current) return;
    const { folder } = this.files;
    const found = await RuntimeSocket.open(path.join(folder, SOCKET))
      .then((socket) => HAProxyProcess.at(socket, folder))
      .catch(() => null);
    if (!found) return;
    if (isTooOld(found.version)) {
      found.socket.close();
      throw new Error(
        `HAProxy ${found.version} is too old: the door needs ${OLDEST.join('.')} or later, which "apt-get install haproxy" installs on Debian 13 and Ubuntu 25.04 or later.`,
      );
    }
    if ([...this.former].some(({ identity }) => isSame(identity, found.identity))) return found.socket.close();
    this.current = found;
    this.former.doubt();
    found.socket.end.listen(() => this.lose(found));
    this.log.info(`HAProxy ${found.version} runs as process ${found.identity.pid}.`);
  }

  /** It takes no more connections, and keeps those that it has; unless it has ended meanwhile. */
  private leave(process: HAProxyProcess): void {
    if (this.current !== process) return;
    this.current = null;
    this.former.add(process);
  }

  private lose(process: HAProxyProcess): void {
    this.former.delete(process);
    if (this.current !== process) return;
    this.current = null;
    this.log.warn(`HAProxy, process ${process.identity.pid}, has ended.`);
  }

  /** @returns why its master has not answered; empty: it has */
  private async reload({ mark }: Wanted): Promise<string> {
    const now = this.clock.now().mono;
    const asked = askMaster(path.join(this.files.folder, MASTER_SOCKET), 'reload');
    const answer = await asked.catch((error: unknown) => ({ silence: messageOf(error) }));
    if (typeof answer !== 'string') return answer.silence;
    const took = Math.round(this.clock.now().mono - now);
    if (/^Success=1/.test(answer)) {
      this.refused = null;
      this.log.info(`HAProxy was reloaded in ${took} ms.`);
      if (this.current) this.leave(this.current);
      await this.find();
      return '';
    }
    this.refused = { mark, at: now };
    this.refusal = answer;
    this.log.error(`HAProxy does not take its configuration, and goes on with the former one: ${answer}`);
    this.files.restore();
    this.refusals.emit(answer);
    return '';
  }

  /** Once for each trouble. */
  private complain(complaint: string): void {
    if (complaint && complaint !== this.complaint) this.log.error(complaint);
    this.complaint = complaint;
  }
}

const failureOf = (work: Promise<unknown>): Promise<Error | null> =>
  work.then(
    () => null,
    (error) => error,
  );

const isSame = (one: Identity, other: Identity): boolean => one.pid === other.pid && one.startedAt === other.startedAt;
