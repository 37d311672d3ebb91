import type { StatusEntry } from '../../../shared/messages';
import type { Operation, Step } from '../../../shared/operation';
import { isCredible } from '../../credible';
import { type AppDefinition, nextGeneration, type Published } from '../apps/repository';

/** What is written so that Workers do not take it for old. */
export interface Overtaking {
  /** Of the app: above that of each Worker, if the database is behind; otherwise as it is. */
  generation: number;
  /** Whether its unfinished operations get that generation too. */
  renews: boolean;
  /** The environments that are ahead. */
  ahead: string[];
  /** What was published where no operation is about to publish anything. */
  publish: Record<string, Published>;
}

/**
 * A Worker has done more than the database knows, because the database was restored from a backup. The database wins: what it wants is
 * published with a generation above the Worker's, because the Worker would ignore it as old; also in its other environments, from which the
 * app may have been taken since. What an unfinished operation has begun, it publishes again by itself, with its new generation. Where nothing
 * was published and nothing is about to be, the app is removed. The same where the app's own database knows more, by which its Worker does
 * not start it (`newest`): then the app was last started where it does not belong any more.
 *
 * A Worker can report any app. Where the app does not belong, a report renews no operation; it raises the app only until its removal is
 * published there, and only if it is not older than the app. None is believed that is far in the future. Pure.
 *
 * @param operations the unfinished ones of the app
 * @param strays environments that may have the app although it does not belong there and nothing is published there
 * @param now ms since 1970
 * @returns null if no Worker is ahead
 */
export function overtaking(
  { uid, generation, published, boot }: Pick<AppDefinition, 'uid' | 'generation' | 'published' | 'boot'>,
  operations: readonly Pick<Operation, 'generation' | 'steps'>[],
  strays: readonly string[],
  entryIn: (environment: string) => StatusEntry | null,
  now: number,
): Overtaking | null {
  const openIn = (environment: string) =>
    operations.filter(({ steps }) =>
      steps.some((step) => step.environment === environment && step.finishedAt === undefined),
    );
  const seen = new Map<string, number>();
  let renews = false;
  let isBehind = false;
  for (const environment of new Set([...Object.keys(published), ...strays])) {
    const entry = entryIn(environment);
    if (entry?.uid !== uid) continue;
    const isBelieved = (reported: number) => isCredible(reported, Math.max(now, generation));
    const wish = published[environment];
    // By the clock alone: measured by its own generation, an administrator of the app could raise it by a day each time.
    const isTaken = (value: number) => value <= generation || isCredible(value, now);
    const taken = mayStart(wish) && entry.newest !== undefined && isTaken(entry.newest) ? entry.newest : 0;
    const reported = Math.max(entry.generation, entry.begun, taken);
    if (!isBelieved(reported)) continue;
    const open = openIn(environment);
    // The data step of an operation is of the generation after it.
    const isData = ({ environment: place, kind }: Step) =>
      place === environment && (kind === 'drop' || kind === 'release');
    const asked = open.map(({ generation: own, steps }) => own + (steps.some(isData) ? 1 : 0));
    // An app does not start by the generation in which it was taken, so it needs the next one.
    const isOlder = () => Math.max(entry.generation, taken + 1) > Math.max(wish.generation, ...asked);
    if (!(wish ? isOlder() : !open.length && entry.status !== 'not_found')) continue;
    seen.set(environment, reported);
    if (wish && (wish.desired !== 'removed' || open.length)) renews = true;
    if (!wish && reported >= generation) isBehind = true;
  }
  if (!seen.size) return null;
  const newest = Math.max(...seen.values());
  const raises = renews || isBehind;
  const above = raises ? nextGeneration(Math.max(generation, newest), now) : Math.max(generation, newest + 1);
  const removed = { boot, claim: 'none', data: 'keep', desired: 'removed', stray: true } as const;
  // Of those that the app has left, the generation says which was the last.
  const places = Object.keys(published).filter((environment) => published[environment].desired !== 'removed');
  const renewedIn = new Set([...(raises ? places : []), ...seen.keys()]);
  const publishedIn = [...renewedIn].filter((environment) => !openIn(environment).length);
  return {
    generation: raises ? above : generation,
    renews,
    ahead: [...seen.keys()],
    publish: Object.fromEntries(publishedIn.map((one) => [one, { ...(published[one] ?? removed), generation: above }])),
  };
}

const mayStart = (wish: Published | undefined): boolean => wish?.desired === 'running' || wish?.desired === 'onDemand';
