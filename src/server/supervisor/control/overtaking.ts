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
 * publishes again by itself, with its new generation. Pure.
 *
 * @param operations the unfinished ones of the app
 * @returns null if no Worker is ahead
 */
export function overtaking(
  { uid, generation, published }: Pick<AppDefinition, 'uid' | 'generation' | 'published'>,
  operations: readonly Pick<Operation, 'generation' | 'steps'>[],
  entryIn: (environment: string) => StatusEntry | null,
  now: number,
): Overtaking | null {
  const isOpenIn = (environment: string) => (operation: Pick<Operation, 'steps'>) =>
    operation.steps.some((step) => step.environment === environment && step.finishedAt === undefined);
  const seen = new Map<string, number>();
  for (const [environment, wish] of Object.entries(published)) {
    const entry = entryIn(environment);
    // The data step of an operation is of the generation after it.
    const own = operations.filter(isOpenIn(environment)).map((operation) => operation.generation + 1);
    if (entry?.uid === uid && entry.generation > Math.max(wish.generation, ...own))
      seen.set(environment, entry.generation);
  }
  if (!seen.size) return null;
  const above = nextGeneration(Math.max(generation, ...seen.values()), now);
  const left = [...seen.keys()].filter((environment) => !operations.some(isOpenIn(environment)));
  return {
    generation: above,
    ahead: [...seen.keys()],
    publish: Object.fromEntries(left.map((one) => [one, { ...published[one], generation: above }])),
  };
}
