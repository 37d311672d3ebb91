import type { StatusEntry } from '../../../shared/messages';
import type { Operation } from '../../../shared/operation';
import { type AppDefinition, nextGeneration, type Published } from '../apps/repository';

/** What is written so that Workers do not take it for old. */
export interface Overtaking {
  /** Of the app and its unfinished operations, above that of each Worker. */
  generation: number;
  /** The environments that are ahead. */
  ahead: string[];
  /** What was published where no operation is about to publish anything. */
  publish: Record<string, Published>;
}

/**
 * A Worker has done more than the database knows, because the database was restored from a backup. The database wins: what it wants is
 * published with a generation above the Worker's, because the Worker would ignore it as old. What an unfinished operation has begun, it
 * publishes again by itself, with its new generation. Where nothing was published and nothing is about to be, the app is removed. Pure.
 *
 * @param operations the unfinished ones of the app
 * @param living environments that may have the app although nothing is published there
 * @returns null if no Worker is ahead
 */
export function overtaking(
  { uid, generation, published, boot }: Pick<AppDefinition, 'uid' | 'generation' | 'published' | 'boot'>,
  operations: readonly Pick<Operation, 'generation' | 'steps'>[],
  living: readonly string[],
  entryIn: (environment: string) => StatusEntry | null,
  now: number,
): Overtaking | null {
  const isOpenIn = (environment: string) => (operation: Pick<Operation, 'steps'>) =>
    operation.steps.some((step) => step.environment === environment && step.finishedAt === undefined);
  const seen = new Map<string, number>();
  for (const environment of new Set([...Object.keys(published), ...living])) {
    const entry = entryIn(environment);
    if (entry?.uid !== uid) continue;
    const wish = published[environment];
    const open = operations.filter(isOpenIn(environment));
    // The data step of an operation is of the generation after it.
    const isOlder = () => entry.generation > Math.max(wish.generation, ...open.map((one) => one.generation + 1));
    if (wish ? isOlder() : !open.length && entry.status !== 'not_found')
      seen.set(environment, Math.max(entry.generation, entry.begun));
  }
  if (!seen.size) return null;
  const above = nextGeneration(Math.max(generation, ...seen.values()), now);
  const removed = { boot, claim: 'none', data: 'keep', desired: 'removed' } as const;
  const left = [...seen.keys()].filter((environment) => !operations.some(isOpenIn(environment)));
  return {
    generation: above,
    ahead: [...seen.keys()],
    publish: Object.fromEntries(left.map((one) => [one, { ...(published[one] ?? removed), generation: above }])),
  };
}
