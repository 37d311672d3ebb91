import { type Clock, pause } from '../../clock';

/** Delay before what is stored is read again, in ms. */
const AGAIN = 500;
/** How long it is tried in the background, in ms: by then everything is read anew. */
const LONGEST = 30_000;

/**
 * Reads what was just stored, and again until the database answers. Nothing acts on a change before it is read, and the next full read may be
 * 30 s away.
 * @param isOver whether nobody needs it any more
 * @throws the error of the last attempt, once `isOver` returns true
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
    const readAgain = () => readBack(read, clock, () => clock.now().mono >= end);
    void pause(clock, AGAIN)
      .then(readAgain)
      .catch(() => undefined);
  });
}
