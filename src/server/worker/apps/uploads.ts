import { isDeepStrictEqual } from 'node:util';
import { type Message, say } from '../../../shared/message';
import type { AppRecord, StatusEntry } from '../../../shared/messages';
import { type Clock, pause } from '../../clock';
import { describeError, inEnglish } from '../../errors';
import type { Log } from '../../log';
import type { OwnFolders } from '../files/app-folders';
import { readState } from '../files/uploads-state';
import { type FetchProgress, fetchUploads, removeParts } from '../uploads/fetch';
import { TransferFailure } from '../uploads/peer-requests';
import type { AppState, AppStates } from './app-states';

/** An app waits for its uploads as long as something of them arrives at least so often, in ms. */
export const PATIENCE = 20_000;
/** How long it waits between two attempts, in ms, and how many there are at most: each may end after something has arrived. */
const AGAIN = 1_000;
const ATTEMPTS = 30;
/** The least time between two reports of progress, in ms. */
const REPORTED_EVERY = 1_000;
/** What was copied ahead in less time was short enough: little can have changed meanwhile, in ms. */
const SHORT = 10_000;

/**
 * Makes the files of an app ready here as far as they are now, while it still runs elsewhere.
 * @throws TransferFailure, and errors of the file system
 */
export type CopyAhead = (
  name: string,
  record: AppRecord,
  signal: AbortSignal,
  onProgress: (progress: FetchProgress) => void,
) => Promise<FetchProgress>;

export interface UploadsOptions {
  apps: AppStates;
  host: { folders: Pick<OwnFolders, 'storagePath' | 'take' | 'transferKey'> };
  environment: string;
  /** `API_BASE_PATH`, without trailing slash; absent: nothing is copied from others, but by `copyAhead`. */
  apiBase?: string;
  copyAhead?: CopyAhead;
  clock: Clock;
  log: Log;
  /** Whether this process may host apps now. */
  mayHost(): boolean;
}

/** How an attempt has ended: with the number of files that are ready, or its cause, and whether the next one in a moment would end so, too. */
type Outcome = { files: number } | { cause: Message; isFinal: boolean };

/**
 * Copies the uploads of apps that have moved here from the Workers of the environments that have them (docs/moving.md).
 *
 * An app waits for them before it starts, as long as they arrive. If they do not, it starts without them, because its
 * visitors would wait for what nobody can promise; then they are copied while it runs, as soon as that is possible. What
 * it has made here by then stays.
 */
export class Uploads {
  /** Copies under way while their apps do not wait. */
  private readonly copies = new Map<string, { abort: AbortController; done: Promise<void> }>();

  constructor(private readonly options: UploadsOptions) {}

  /** Awaited before an app boots. Never rejects. @param signal ends the waiting */
  async before(name: string, held: AppState, signal: AbortSignal): Promise<void> {
    await this.stop(name);
    if (!(await this.begin(name, held)) || !held.record.uploads?.wait) return;
    await this.insist(name, held, signal, async (onProgress) => {
      if (!held.uploads || !this.mayCopy(name, held)) return true;
      return this.copy(name, held, signal, onProgress);
    });
  }

  /** Called each time that nothing else is to be done for an app, so at least every 30 s. Never rejects. */
  async after(name: string, held: AppState): Promise<void> {
    if (!held.record.uploads || (held.uploads === undefined && !(await this.begin(name, held)))) return;
    if (!held.uploads || !this.mayCopy(name, held) || this.copies.has(name)) return;
    const abort = new AbortController();
    const copying = this.copy(name, held, abort.signal, () => undefined);
    this.copies.set(name, { abort, done: copying.then(() => void this.copies.delete(name)) });
  }

  /**
   * Copies what an app that is about to move here has where it still runs, so that little is left for when it has ended there. As long as
   * something arrives; a newer record ends it (`endAhead`). Never rejects.
   */
  async ahead(name: string, held: AppState): Promise<void> {
    const { apps, log, mayHost } = this.options;
    const { record } = held;
    held.waiting = new AbortController();
    const { signal } = held.waiting;
    Object.assign(held, { begun: record.generation, doing: null });
    apps.show(name, held, 'waiting');
    let outcome: Outcome = { files: 0 };
    await this.insist(name, held, signal, async (onProgress) => {
      if (!mayHost() || !held.record.uploads?.ahead) return true;
      const { clock } = this.options;
      const began = clock.now().mono;
      outcome = await this.copyAhead(name, record, signal, onProgress);
      return 'cause' in outcome ? outcome.isFinal : clock.now().mono - began < SHORT;
    });
    held.waiting = null;
    if (signal.aborted) return;
    const ended = outcome as Outcome;
    if ('cause' in ended)
      log.warn(`App ${name}: its uploads were not copied ahead: ${inEnglish(ended.cause)}`, { app: name });
    apps.show(name, held, 'waiting', 'cause' in ended ? say('UPLOADS_NOT_AHEAD', ended) : say('UPLOADS_AHEAD', ended));
  }

  /** Ends what goes on for an app. Never rejects. */
  async stop(name: string): Promise<void> {
    this.copies.get(name)?.abort.abort();
    await this.copies.get(name)?.done;
  }

  /** Ends what goes on for an app that leaves, and deletes what it has of files that are not whole, or were copied ahead. Never rejects. */
  async discard(name: string): Promise<void> {
    const { host, log, apiBase } = this.options;
    await this.stop(name);
    if (apiBase === undefined) return;
    await removeParts(host.folders.storagePath, name).catch((error) =>
      log.warn(`Parts of uploads of app ${name} stay: ${inEnglish(describeError(error))}`, { app: name }),
    );
  }

  /** Ends everything. */
  close(): void {
    for (const name of this.copies.keys()) void this.stop(name);
  }

  /** Makes attempts until one says that another would be in vain, or nothing arrives any more, and shows how far they are. */
  private async insist(
    name: string,
    held: AppState,
    signal: AbortSignal,
    attempt: (onProgress: (progress: FetchProgress) => void) => Promise<boolean>,
  ): Promise<void> {
    const { apps, clock } = this.options;
    const { record } = held;
    let heard = clock.now().mono;
    let shown = Number.NEGATIVE_INFINITY;
    for (let count = 1; count <= ATTEMPTS && !signal.aborted; count++) {
      const isOver = await attempt((progress) => {
        heard = clock.now().mono;
        if (signal.aborted || heard - shown < REPORTED_EVERY) return;
        shown = heard;
        apps.show(name, held, 'waiting', progressText(record, progress));
      });
      if (isOver || clock.now().mono - heard > PATIENCE) return;
      await pause(clock, AGAIN, signal);
    }
  }

  private mayCopy(name: string, held: AppState): boolean {
    const { apps, mayHost } = this.options;
    const { desired, uploads } = held.record;
    return mayHost() && apps.get(name) === held && desired !== 'removed' && uploads !== undefined;
  }

  /** Finds out what is lacking. @returns false if that cannot be found out */
  private async begin(name: string, held: AppState): Promise<boolean> {
    const { host, log, apiBase } = this.options;
    if (apiBase === undefined) return false;
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
      const { cause, isFinal } = failureIn(error);
      if (!isDeepStrictEqual(held.uploads?.cause, cause))
        log.warn(`App ${name}: its uploads could not be copied: ${inEnglish(cause)}`, { app: name });
      await this.show(name, held, cause).catch(() => undefined);
      return isFinal;
    }
  }

  /** Never rejects. */
  private async copyAhead(...[name, record, signal, onProgress]: Parameters<CopyAhead>): Promise<Outcome> {
    const { host, apiBase, log, copyAhead } = this.options;
    if (apiBase === undefined && !copyAhead) return { files: 0 };
    try {
      if (!copyAhead) await host.folders.take(record);
      const copy: CopyAhead = copyAhead ?? ((...what) => this.fetch(...what));
      const { files, bytes } = await copy(name, record, signal, onProgress);
      log.info(`App ${name}: ${files} uploaded files, ${bytes} bytes, were copied ahead.`, { app: name });
      return { files };
    } catch (error) {
      return failureIn(error);
    }
  }

  private async fetch(...[name, record, signal, onProgress]: Parameters<CopyAhead>): Promise<FetchProgress> {
    const { host, clock, apiBase = '', environment } = this.options;
    const { storagePath } = host.folders;
    const { uid, uploads } = record;
    const key = host.folders.transferKey(record);
    if (!uploads?.address || !key) throw new TransferFailure(say('UPLOADS_NO_ADDRESS'), true);
    const { from: source, address, generation, ahead = false } = uploads;
    const transfer = { app: name, uid, to: environment, generation };
    return fetchUploads({ transfer, key, source, address, storagePath, apiBase, clock, signal, onProgress, ahead });
  }
}

/** Another record comes in the place of one by which something is copied ahead: what that asks for is all to be done. */
export function endAhead(held: AppState): void {
  if (!held.record.uploads?.ahead) return;
  held.waiting?.abort();
  held.state = 'absent';
}

const failureIn = (error: unknown): { cause: Message; isFinal: boolean } =>
  error instanceof TransferFailure
    ? { cause: error.reason, isFinal: error.isFinal }
    : { cause: describeError(error), isFinal: true };

function progressText({ uploads }: AppRecord, { files, ofFiles, bytes, ofBytes }: FetchProgress): Message {
  const percent = ofBytes ? Math.floor((100 * bytes) / ofBytes) : 0;
  return say('COPYING_UPLOADS', { environment: uploads?.from ?? '-', files, of: ofFiles, percent });
}
