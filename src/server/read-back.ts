import { type Clock, pause } from './clock';

/** Delay before what is stored is read again, in ms. */
const AGAIN = 500;
/** How long it is tried in the background, in ms: by then everything is read anew. */
const LONGEST = 30_000;

/**
 * Reads what was just stored, and again until the database answers: until then nobody acts on it, for everything is read anew only every
 * 30 s.
 * @param isOver whether nobody needs it any more
 * @throws what the last attempt threw, if it is over
 */
export async function readBack(read: () => Promise<void>, clock: Clock, isOver: () => boolean): Promise<void> {
  for (;;) {
    try {
      await read();
      return;
    } catch (error) {
      if (isOver()) throw error;
      await pause(clock, AGAIN);
    }
  }
}

/** The same for a request, which waits for the first attempt alone. Never rejects. */
export async function readBackLater(read: () => Promise<void>, clock: Clock): Promise<void> {
  const end = clock.now().mono + LONGEST;
  await read().catch(() => {
    void readBack(read, clock, () => clock.now().mono >= end).catch(() => undefined);
  });
}
