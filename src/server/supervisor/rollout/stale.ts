import type { StatusEntry } from '../../../shared/messages';
import type { AppDefinition } from '../definitions/repository';

type Placed = Pick<AppDefinition, 'uid' | 'environments' | 'published'>;

/** Environments of an app that run it without something that another one has: its plugins, or its JWT secret. Pure. */
export function staleIn(
  app: Placed,
  entryIn: (environment: string) => StatusEntry | null,
): Record<'plugins' | 'jwtSecret', string[]> {
  const running = app.environments.flatMap((environment) => {
    const entry = entryIn(environment);
    return entry?.uid === app.uid && entry.status === 'running' ? { environment, ...entry } : [];
  });
  const lacks = (change: string) => running.filter(({ pendingChanges }) => pendingChanges.includes(change));
  // An environment that has not read its newest record cannot be stale.
  const isUpToDate = ({ environment, generation }: (typeof running)[number]) =>
    generation >= (app.published[environment]?.generation ?? Number.POSITIVE_INFINITY);
  const withoutSecret = lacks('jwtSecret');
  const hasStarted = running.some((one) => !withoutSecret.includes(one) && isUpToDate(one));
  return {
    plugins: lacks('plugins').map(({ environment }) => environment),
    jwtSecret: hasStarted ? withoutSecret.map(({ environment }) => environment) : [],
  };
}
