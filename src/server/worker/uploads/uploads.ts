import { isDeepStrictEqual } from 'node:util';
import { type Message, say } from '../../../shared/message';
import type { AppRecord, StatusEntry } from '../../../shared/messages';
import type { Clock, Timer } from '../../clock';
import { describeError, inEnglish } from '../../errors';
import type { Log } from '../../log';
import type { AppState, AppStates } from '../apps/app-states';
import type { OwnFolders } from '../hosting/own-folders';
import type { CopyAhead } from './ahead';
import { type FetchProgress, fetchUploads, removeParts } from './fetch';
import { AGAIN, ATTEMPTS, PATIENCE, pause, progressText, reportedEvery } from './patience';
import { TransferFailure } from './requests';
import { readState } from './state';

/** How soon a copy is tried again while the app runs, at first and at last, in ms. */
const SOONEST = 5_000;
const LATEST = 300_000;
export interface UploadsOptions {
  apps: AppStates;
  host: { folders: Pick<OwnFolders, 'storagePath' | 'take' | 'transferKey'> };
  environment: string;
  /** `API_BASE_PATH`, without trailing slash. */
  apiBase: string;
  clock: Clock;
  log: Log;
  /** Whether this process may host apps now. */
  mayHost(): boolean;
}

/**
 * Copies the uploads of apps that have moved here from the Workers of the environments that have them (docs/moving.md).
 *
 * An app waits for them before it starts, as long as they arrive. If they do not, it starts without them, because its
 * visitors would wait for what nobody can promise; then they are copied while it runs, as soon as that is possible. What
 * it has made here by then stays.
 */
export class Uploads {
  private readonly timers = new Map<string, Timer>();
  /** Copies under way while their apps do not wait. */
  private readonly copies = new Map<string, { abort: AbortController; done: Promise<void> }>();

  private constructor(private readonly options: UploadsOptions) {}

  /** @returns null without an address of API: then nothing is copied from others */
  static of({ apiBase, ...options }: Omit<UploadsOptions, 'apiBase'> & { apiBase?: string }): Uploads | null {
    return apiBase === undefined ? null : new Uploads({ ...options, apiBase });
  }

  /** Awaited before an app boots. Never rejects. @param signal ends the waiting */
  async before(name: string, held: AppState, signal: AbortSignal): Promise<void> {
    await this.stop(name);
    if (!(await this.begin(name, held)) || !held.record.uploads?.wait) return;
    const { clock } = this.options;
    let heard = clock.now().mono;
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      if (!held.uploads || !this.mayCopy(name, held) || signal.aborted) return;
      const show = reportedEvery(clock, (progress) =>
        this.options.apps.show(name, held, 'waiting', progressText(held.record, progress)),
      );
      const isFinal = await this.copy(name, held, signal, (progress) => {
        heard = clock.now().mono;
        show(progress);
      });
      if (isFinal || clock.now().mono - heard > PATIENCE) return;
      await pause(clock, AGAIN, signal);
    }
  }

  /** As in `AheadCopies`. */
  readonly copyAhead: CopyAhead = async (name, record, signal, onProgress) => {
    await this.options.host.folders.take(record);
    return this.fetch(name, record, signal, onProgress);
  };

  /** Called when nothing else is to be done for an app. Never rejects. */
  async after(name: string, held: AppState): Promise<void> {
    if (!held.record.uploads || this.timers.has(name) || this.copies.has(name)) return;
    if (held.uploads === undefined && !(await this.begin(name, held))) return;
    if (held.uploads) this.later(name, held, held.record.uploads.wait ? SOONEST : 0, SOONEST);
  }

  /** Ends what goes on for an app. Never rejects. */
  async stop(name: string): Promise<void> {
    this.timers.get(name)?.cancel();
    this.timers.delete(name);
    this.copies.get(name)?.abort.abort();
    await this.copies.get(name)?.done;
  }

  /** Ends what goes on for an app that leaves, and deletes what it has of files that are not whole, or were copied ahead. Never rejects. */
  async discard(name: string): Promise<void> {
    const { host, log } = this.options;
    await this.stop(name);
    await removeParts(host.folders.storagePath, name).catch((error) =>
      log.warn(`Parts of uploads of app ${name} stay: ${inEnglish(describeError(error))}`, { app: name }),
    );
  }

  /** Ends everything. */
  close(): void {
    for (const name of [...this.timers.keys(), ...this.copies.keys()]) void this.stop(name);
  }

  /** @param next the delay after another failure */
  private later(name: string, held: AppState, delay: number, next: number): void {
    if (this.timers.has(name)) return;
    const work = async () => {
      const abort = new AbortController();
      const copying = this.copy(name, held, abort.signal, () => undefined);
      this.copies.set(name, { abort, done: copying.then(() => undefined) });
      await copying;
      this.copies.delete(name);
      if (held.uploads && !abort.signal.aborted) this.later(name, held, next, Math.min(2 * next, LATEST));
    };
    const timer = this.options.clock.timeout(delay, () => {
      this.timers.delete(name);
      if (held.uploads && this.mayCopy(name, held)) void work();
    });
    this.timers.set(name, timer);
  }

  private mayCopy(name: string, held: AppState): boolean {
    const { apps, mayHost } = this.options;
    const { desired, uploads } = held.record;
    return mayHost() && apps.get(name) === held && desired !== 'removed' && uploads !== undefined;
  }

  /** Finds out what is lacking. @returns false if that cannot be found out */
  private async begin(name: string, held: AppState): Promise<boolean> {
    const { host, log } = this.options;
    try {
      if (held.record.uploads) await host.folders.take(held.record);
      await this.show(name, held, null);
      return true;
    } catch (error) {
      // A boot meets the same, and says so.
      log.warn(`The folders of app ${name} could not be prepared: ${inEnglish(describeError(error))}`, { app: name });
      return false;
    }
  }

  private async show(name: string, held: AppState, cause: Message | null): Promise<void> {
    const { apps, host } = this.options;
    const { record } = held;
    const { lacks } = await readState(host.folders.storagePath, name);
    // Nothing is said of an app that was never to be copied.
    if (!lacks.length && !record.uploads) return;
    const lack = lacks.find(({ environment }) => environment === record.uploads?.from) ?? lacks.at(0);
    // Where both use one folder, what cannot be copied is here.
    const reason = lack?.isShared ? null : cause;
    const found: StatusEntry['uploads'] = lack ? { from: lack.environment, cause: reason } : null;
    if (isDeepStrictEqual(held.uploads, found)) return;
    held.uploads = found;
    apps.report(name);
  }

  /** Never rejects. @returns whether the next attempt in a moment would end as this one */
  private async copy(
    name: string,
    held: AppState,
    signal: AbortSignal,
    onProgress: (progress: FetchProgress) => void,
  ): Promise<boolean> {
    const { log } = this.options;
    const { record } = held;
    try {
      const { files, bytes } = await this.fetch(name, record, signal, onProgress);
      const from = record.uploads?.from;
      log.info(`App ${name}: ${files} uploaded files, ${bytes} bytes, were copied from ${from}.`, { app: name });
      await this.show(name, held, null);
      return true;
    } catch (error) {
      if (signal.aborted) return true;
      const cause = error instanceof TransferFailure ? error.reason : describeError(error);
      if (!isDeepStrictEqual(held.uploads?.cause, cause))
        log.warn(`App ${name}: its uploads could not be copied: ${inEnglish(cause)}`, { app: name });
      await this.show(name, held, cause).catch(() => undefined);
      return error instanceof TransferFailure ? error.isFinal : true;
    }
  }

  private async fetch(
    name: string,
    record: AppRecord,
    signal: AbortSignal,
    onProgress: (progress: FetchProgress) => void,
  ): Promise<FetchProgress> {
    const { host, clock, apiBase, environment } = this.options;
    const { storagePath } = host.folders;
    const { uid, uploads } = record;
    const key = host.folders.transferKey(record);
    if (!uploads?.address || !key) throw new TransferFailure(say('UPLOADS_NO_ADDRESS'), true);
    const { from: source, address, generation, ahead = false } = uploads;
    const transfer = { app: name, uid, to: environment, generation };
    return fetchUploads({ transfer, key, source, address, storagePath, apiBase, clock, signal, onProgress, ahead });
  }
}
