import { type Message, say } from '../../../shared/message';
import type { AppRecord } from '../../../shared/messages';
import type { Clock } from '../../clock';
import { describeError, inEnglish } from '../../errors';
import type { Log } from '../../log';
import type { AppState, AppStates } from '../apps/app-states';
import type { FetchProgress } from './fetch';
import { AGAIN, ATTEMPTS, PATIENCE, pause, progressText, reportedEvery } from './patience';
import { TransferFailure } from './requests';

/** What was copied in less time was short enough: little can have changed meanwhile, in ms. */
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

/** Of a Worker that copies nothing from others. */
export const noCopy: CopyAhead = async () => ({ files: 0, bytes: 0, ofFiles: 0, ofBytes: 0 });

/** Another record comes in the place of one by which something is copied ahead: what that asks for is all to be done. */
export function endAhead(held: AppState): void {
  if (!held.record.uploads?.ahead) return;
  held.waiting?.abort();
  held.state = 'absent';
}

/** How one attempt has ended. */
interface Outcome {
  cause: Message | null;
  /** That are ready. */
  files: number;
  /** Whether the next attempt in a moment would end as this one. */
  isFinal: boolean;
}

export interface AheadCopiesOptions {
  apps: AppStates;
  clock: Clock;
  log: Log;
  /** Whether this process may host apps now. */
  mayHost(): boolean;
  copy: CopyAhead;
}

/** Copies what apps that are about to move here have where they still run, so that little is left for when they have ended there. */
export class AheadCopies {
  constructor(private readonly options: AheadCopiesOptions) {}

  /** Copies as long as something arrives. A newer record ends it. Never rejects. */
  async make(name: string, held: AppState): Promise<void> {
    const { apps, clock, log } = this.options;
    const { record } = held;
    held.waiting = new AbortController();
    const { signal } = held.waiting;
    Object.assign(held, { begun: record.generation, doing: null });
    apps.show(name, held, 'waiting');
    let outcome: Outcome = { cause: null, files: 0, isFinal: false };
    let heard = clock.now().mono;
    for (let attempt = 1; attempt <= ATTEMPTS && this.goesOn(held, signal); attempt++) {
      const began = clock.now().mono;
      outcome = await this.copy(name, held, signal, () => {
        heard = clock.now().mono;
      });
      const { mono } = clock.now();
      if (outcome.isFinal || (!outcome.cause && mono - began < SHORT) || mono - heard > PATIENCE) break;
      await pause(clock, AGAIN, signal);
    }
    held.waiting = null;
    if (signal.aborted) return;
    const { cause, files } = outcome;
    if (cause) log.warn(`App ${name}: its uploads were not copied ahead: ${inEnglish(cause)}`, { app: name });
    apps.show(name, held, 'waiting', cause ? say('UPLOADS_NOT_AHEAD', { cause }) : say('UPLOADS_AHEAD', { files }));
  }

  private goesOn({ record }: AppState, { aborted }: AbortSignal): boolean {
    return !aborted && this.options.mayHost() && record.uploads?.ahead === true;
  }

  /** Never rejects. */
  private async copy(name: string, held: AppState, signal: AbortSignal, onProgress: () => void): Promise<Outcome> {
    const { apps, clock, log, copy } = this.options;
    const { record } = held;
    const show = reportedEvery(clock, (progress) => apps.show(name, held, 'waiting', progressText(record, progress)));
    try {
      const { files, bytes } = await copy(name, record, signal, (progress) => {
        onProgress();
        if (!signal.aborted) show(progress);
      });
      log.info(`App ${name}: ${files} uploaded files, ${bytes} bytes, were copied ahead.`, { app: name });
      return { cause: null, files, isFinal: false };
    } catch (error) {
      const isFailure = error instanceof TransferFailure;
      return { cause: isFailure ? error.reason : describeError(error), files: 0, isFinal: !isFailure || error.isFinal };
    }
  }
}
