import type { Clock } from '../../clock';

/** Delay before what is stored is read again, in ms. */
const AGAIN = 500;
/** How long it is tried, in ms: by then everything is read anew. */
const LONGEST = 30_000;

/**
 * Reads what was just stored, and again until the database answers: until then nobody acts on it, for everything is read anew only every
 * 30 s. @throws if it cannot be read for so long
 */
export async function readBack(read: () => Promise<void>, clock: Clock): Promise<void> {
  const end = clock.now().mono + LONGEST;
  for (;;) {
    try {
      await read();
      return;
    } catch (error) {
      if (clock.now().mono >= end) throw error;
      await clock.sleep(AGAIN);
    }
  }
}
