import { type Message, say } from '../../../shared/message';
import { describeError } from '../../errors';
import { appAdminWarning } from '../../protocol/administrator';
import type { AppCache } from '../definitions/app-cache';
import { sharesRole } from '../definitions/database-settings';
import type { AppDefinition } from '../definitions/repository';
import type { CompatibilityPolicy } from './compatibility-policy';
import { isUncertified } from './door-troubles';
import type { DoorWatch } from './door-watch';
import type { EnvironmentCache } from './environment-cache';
import type { FleetObserver } from './observer';

export interface WarningsOptions {
  environmentCache: EnvironmentCache;
  compatibility: CompatibilityPolicy;
  appCache: AppCache;
  observer: FleetObserver;
  /** Absent where there is no door. */
  doors?: Pick<DoorWatch, 'all'>;
  /** In shared memory the environment is this process, which reports its own warnings. */
  isThisProcess: boolean;
}

/** The problems of an environment, as messages that say what to do. */
export function warningsOf(environment: string, options: WarningsOptions): Message[] {
  const { environmentCache, compatibility, observer, isThisProcess } = options;
  const registration = environmentCache.registrationOf(environment);
  const view = observer.environment(environment);
  const standby = view?.standby;
  return [
    ...((!isThisProcess && registration?.warnings) || []),
    ...(registration ? compatibility.findings(registration).map(({ error }) => describeError(error)) : []),
    ...orphansIn(environment, options),
    ...addressWarning(environment, environmentCache),
    ...(view?.unreachableSince
      ? [say('ENVIRONMENT_REFUSES', { url: environmentCache.addressOf(environment) ?? '' })]
      : []),
    ...(standby ? [say(view.isForeign ? 'SECOND_INSTALLATION' : 'SECOND_PROCESS', { standby })] : []),
  ];
}

function addressWarning(environment: string, environmentCache: Pick<EnvironmentCache, 'proxyAddressOf'>): Message[] {
  const { address: former, unconfirmed: address } = environmentCache.proxyAddressOf(environment);
  if (address === null) return [];
  return [
    former
      ? say('PROXY_ADDRESS_CHANGED', { environment, address, former })
      : say('TO_BE_ADMITTED', { environment, address }),
  ];
}

/** The problems of an app, as messages that say what to do. */
export function appWarningsOf(
  app: AppDefinition,
  {
    compatibility,
    observer,
    environmentCache,
    doors,
  }: Pick<WarningsOptions, 'compatibility' | 'observer' | 'environmentCache' | 'doors'>,
): Message[] {
  const found = observer.reportsOf(app);
  const reports = found.map(({ entry }) => entry);
  // In a dialect without roles there is nothing to share.
  const hasRoles = app.environments.some((name) => {
    const mode = environmentCache.registrationOf(name)?.databaseRole?.mode;
    return mode !== undefined && mode !== 'none';
  });
  return [
    ...compatibility.warningsOf(app),
    ...(doors && app.cname && isUncertified(doors.all(), app.cname)
      ? [say('DOMAIN_UNCERTIFIED', { app: app.name, domain: app.cname })]
      : []),
    ...(hasRoles && sharesRole(app) ? [say('APP_SHARES_ROLE', { app: app.name })] : []),
    ...[...new Set(reports.flatMap(({ adminPassword }) => adminPassword ?? []))].map((each) =>
      appAdminWarning(app.name, each),
    ),
    ...reports.flatMap(({ uploads }) =>
      uploads?.cause ? [say('UPLOADS_ELSEWHERE', { environment: uploads.from, cause: uploads.cause })] : [],
    ),
    ...found.flatMap(({ environment, entry: { work } }) =>
      work?.error
        ? [say('ROLE_PASSWORD_STAYS', { environment, role: app.database.username ?? '', cause: work.error })]
        : [],
    ),
  ];
}

/**
 * Apps that an environment has and the database does not know: they were created after the backup from which the
 * database was restored.
 */
function orphansIn(environment: string, { observer, appCache }: WarningsOptions): Message[] {
  const orphans = [...observer.entries(environment)].filter((entry) => appCache.isOrphan(entry));
  if (!orphans.length) return [];
  const names = orphans.map(({ name }) => name).sort();
  return [say('ORPHANS', { names: names.join(', ') })];
}

/** Most environments that are named in one message. */
const MOST_NAMES = 5;

/** Environments that ask to join, and that nothing but what they say themselves is known of. */
export function strangersIn({
  observer,
  environmentCache,
}: {
  observer: Pick<FleetObserver, 'environment' | 'names'>;
  environmentCache: Pick<EnvironmentCache, 'registrationOf'>;
}): Message[] {
  const isStranger = (name: string) => observer.environment(name)?.trouble && !environmentCache.registrationOf(name);
  const names = observer.names().filter(isStranger).sort();
  const shown = names.slice(0, MOST_NAMES).join(', ');
  return names.length
    ? [say('ENVIRONMENTS_REFUSED', { environments: names.length > MOST_NAMES ? `${shown}, …` : shown })]
    : [];
}
