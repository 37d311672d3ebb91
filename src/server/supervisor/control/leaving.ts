import type { StatusEntry } from '../../../shared/messages';
import type { Health } from '../../../shared/types';
import type { AppDefinition, Published } from '../apps/repository';
import { isAhead } from '../rollout/uploads';

/** Whether a Worker has confirmed that an app is removed there. */
export const hasLeft = (
  { uid }: Pick<AppDefinition, 'uid'>,
  { generation }: Pick<Published, 'generation'>,
  entry: StatusEntry | null,
): boolean => entry !== null && (entry.uid !== uid || (entry.status === 'not_found' && entry.generation >= generation));

/**
 * An environment that an app has left and that may still run it. An app with one environment starts there only when there
 * is none, so that two never act on its data. An environment that is down does not count once its removal is published: it
 * reads that before it starts anything, and the next one that starts the app cuts it off from the database.
 *
 * @param target where it is about to start
 * @returns the first one; null if there is none, or the app may have several
 */
export function heldElsewhere(
  app: Pick<AppDefinition, 'uid' | 'environments'>,
  target: string,
  published: Record<string, Published>,
  observe: (environment: string) => { health: Health; entry: StatusEntry | null },
): string | null {
  const [only, ...others] = app.environments;
  if (others.length || only !== target) return null;
  const { desired } = published[target] ?? { desired: 'removed' };
  // What was requested there before stands.
  if (desired === 'running' || desired === 'onDemand') return null;
  const isHeld = (environment: string) => {
    if (environment === target || isAhead(published[environment])) return false;
    const { health, entry } = observe(environment);
    const wish = published[environment];
    return wish.desired !== 'removed' || (health !== 'down' && !hasLeft(app, wish, entry));
  };
  return Object.keys(published).find(isHeld) ?? null;
}
