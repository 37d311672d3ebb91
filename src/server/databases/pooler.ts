import type { Dialect } from './dialect';
import type { Session } from './session';

/**
 * Whether a pooler in transaction mode is between this process and the server of an app's database: a lock would not live as long as its
 * session, and the end of a session would not be the end of its process. A boot (lock.ts), a check (check.ts) and a drop (drop.ts) refuse
 * it; nobody asks it of a main database, whose lease needs no session.
 *
 * @param open a second session beside the first one; null if it cannot be had
 * @param ask limits the wait for the answer
 * @returns null if there is nothing to ask: no pooler of this dialect does that
 */
export async function isPooled(
  { lock }: Pick<Dialect, 'lock'>,
  first: Session,
  open: () => Promise<Session | null>,
  ask = (answer: Promise<boolean>) => answer,
): Promise<boolean | null> {
  if (!lock.isShared) return null;
  const second = await open();
  return second !== null && ask(lock.isShared(first, second));
}
