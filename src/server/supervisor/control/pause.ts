import type { AppDefinition, Published } from '../../../shared/app';
import type { StatusEntry } from '../../../shared/messages';

type Pausable = Pick<AppDefinition, 'uid' | 'boot' | 'paused' | 'published'>;

/** Whether an app is started nowhere: since it stopped a process, nobody has asked for a boot. */
export const isPaused = ({ paused, boot }: Pick<AppDefinition, 'paused' | 'boot'>): boolean =>
  paused !== null && paused.boot >= boot.generation;

/**
 * The pause of an app that has stopped the event loop of a process, and what is published with it everywhere; null if no environment
 * says so of its newest boot, or if that is known.
 */
export function pausing(
  app: Pausable,
  entryIn: (environment: string) => StatusEntry | null,
): { paused: NonNullable<AppDefinition['paused']>; publish: Record<string, Published> } | null {
  if (isPaused(app)) return null;
  for (const environment of Object.keys(app.published)) {
    const entry = entryIn(environment);
    if (entry?.uid !== app.uid || entry.error?.code !== 'APP_STOPS_LOOP') continue;
    if (entry.bootGeneration < app.boot.generation) continue;
    const paused = { environment, boot: app.boot.generation, cause: entry.error };
    const kept = Object.entries(app.published).filter(([, { desired }]) => desired !== 'removed');
    return { paused, publish: Object.fromEntries(kept) };
  }
  return null;
}
