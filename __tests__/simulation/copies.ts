import { pause } from '../../src/server/clock';
import type { CopyAhead } from '../../src/server/worker/apps/uploads';
import { TransferFailure } from '../../src/server/worker/uploads/peer-requests';
import { say } from '../../src/shared/message';
import { type Machine, randomFor } from './scheduler';

/** Share of copies that the other Worker refuses. */
const REFUSED = 0.15;
/** How often progress is made, in ms. */
const STEP = 2_000;

/** Plays the copies with which moves begin, as one Worker makes them: most are short, and some take a minute. */
export function playedCopies(machine: Machine, seed: number, name: string, onBegin: (uid: string) => void): CopyAhead {
  const random = randomFor(seed, `${name} copies`);
  return async (_app, { uid }, signal, onProgress) => {
    onBegin(uid);
    const takes = 50 * 2 ** (random.fraction() * 10);
    const isRefused = random.fraction() < REFUSED;
    const progress = { files: 0, bytes: 0, ofFiles: Math.ceil(takes / STEP), ofBytes: 0 };
    for (let left = takes; left > 0 && !signal.aborted; left -= STEP) {
      await pause(machine, Math.min(left, STEP), signal);
      progress.files++;
      onProgress({ ...progress });
    }
    if (signal.aborted) throw new TransferFailure(say('UPLOADS_CUT'));
    if (isRefused) throw new TransferFailure(say('UPLOADS_STILL_THERE'), true);
    return progress;
  };
}
