import type { Message } from '../../../shared/message';
import type { Registration } from '../../../shared/messages';
import { AppSupervisorError, describeError, withField } from '../../errors';
import type { FindInstalled } from '../../nocobase/installed-plugins';
import type { AppCache } from '../definitions/app-cache';
import type { AppDefinition } from '../definitions/repository';
import { appFindings, disagreement, environmentFindings, type Finding, type Installed } from './compatibility';
import type { EnvironmentCache } from './environment-cache';
import type { FleetObserver } from './observer';

export interface CompatibilityPolicyOptions {
  environmentCache: EnvironmentCache;
  appCache: AppCache;
  observer: FleetObserver;
  aesKey: Buffer | null;
  /** NocoBase's version on this process. */
  appVersion: string;
  findInstalled: FindInstalled;
  /** In shared memory there is only one release, which is compatible with itself. */
  isOneRelease: boolean;
}

/**
 * Applies the rules of `compatibility.ts` to this fleet: which environments are compatible with the Supervisor and with
 * each other.
 */
export class CompatibilityPolicy {
  private installed: Installed;

  constructor(private readonly options: CompatibilityPolicyOptions) {
    this.installed = { appVersion: options.appVersion, plugins: new Map() };
  }

  /**
   * Looks up the packages of all plugins in the fleet.
   * @returns whether anything has changed
   */
  async findPlugins(): Promise<boolean> {
    const { environmentCache, appCache, observer, findInstalled, isOneRelease } = this.options;
    if (isOneRelease) return false;
    const names = new Set<string>();
    for (const { registration } of environmentCache.all()) {
      for (const plugin of registration.plugins) names.add(plugin.slice(0, plugin.lastIndexOf('@')));
    }
    for (const { name, environments } of appCache.apps.values()) {
      for (const environment of environments) {
        for (const plugin of observer.observed(environment, name)?.entry.plugins ?? []) names.add(plugin.name);
      }
    }
    const versions = new Map((await findInstalled([...names])).map(({ name, version }) => [name, version]));
    const plugins = new Map([...names].map((name) => [name, versions.get(name) ?? null]));
    const before = this.installed.plugins;
    this.installed = { ...this.installed, plugins };
    return plugins.size !== before.size || [...plugins].some(([name, version]) => before.get(name) !== version);
  }

  /** Whether one of these apps has a plugin that was not looked up yet. */
  hasNewPlugins(apps: Iterable<string>): boolean {
    const { appCache, observer, isOneRelease } = this.options;
    if (isOneRelease) return false;
    return [...apps].some((name) =>
      (appCache.apps.get(name)?.environments ?? []).some((environment) =>
        observer.observed(environment, name)?.entry.plugins.some((plugin) => !this.installed.plugins.has(plugin.name)),
      ),
    );
  }

  /**
   * Whether an environment may get apps.
   * @throws AppSupervisorError UNKNOWN_ENVIRONMENT, ENVIRONMENT_CORDONED, NOT_ADMITTED, KEY_DIFFERS, OUTDATED, VERSION_DIFFERS, PLUGINS_MISSING
   */
  assertUsable(environment: string, field: string): void {
    const { environmentCache } = this.options;
    const registration = environmentCache.registrationOf(environment);
    const trouble = this.troubleOf(environment);
    if (!registration && trouble) throw withField(field, trouble);
    if (!registration) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment }, field);
    if (environmentCache.get(environment)?.cordoned)
      throw new AppSupervisorError('ENVIRONMENT_CORDONED', { environment }, field);
    if (!environmentCache.isAdmitted(environment)) throw new AppSupervisorError('NOT_ADMITTED', { environment }, field);
    const refusal = this.findings(registration).find(({ refuses }) => refuses);
    if (refusal) throw withField(field, refusal.error);
  }

  /**
   * Whether several environments may host one app: all must support the data that one of them upgrades.
   * @throws AppSupervisorError ENVIRONMENTS_DIFFER
   */
  assertAgree(environments: string[], field: string): void {
    const differ = this.disagreementOf(environments);
    if (differ) throw withField(field, differ);
  }

  /** Why an app cannot start in each of these environments; null if it can. */
  disagreementOf(environments: string[]): AppSupervisorError | null {
    const { environmentCache } = this.options;
    const [first, ...others] = environments.flatMap((name) => environmentCache.registrationOf(name) ?? []);
    return others.map((other) => disagreement(first, other)).find((differ) => differ !== null) ?? null;
  }

  /**
   * Whether environments install an app with the requested administrator.
   * @throws AppSupervisorError INITIAL_ADMIN_UNKNOWN
   */
  assertSetsInitialAdmin(environments: string[], field: string): void {
    const { environmentCache } = this.options;
    const environment = environments.find((name) => !environmentCache.registrationOf(name)?.setsInitialAdmin);
    if (environment) throw new AppSupervisorError('INITIAL_ADMIN_UNKNOWN', { environment }, field);
  }

  /**
   * Whether a new app gets a database role of its own in these environments: not if one of them has none to give.
   * @throws AppSupervisorError DATABASE_ROLE_DENIED, DATABASE_ROLE_UNKNOWN
   */
  givesDatabaseRole(environments: string[], field: string): boolean {
    this.assertKnowsDatabaseRoles(environments, field);
    const { environmentCache } = this.options;
    const found = environments.flatMap((name) => environmentCache.registrationOf(name)?.databaseRole ?? []);
    const denied = found.find(({ mode }) => mode === 'denied');
    if (denied) {
      const { user, server, sql } = denied;
      throw new AppSupervisorError('DATABASE_ROLE_DENIED', { user, server, sql }, field);
    }
    return found.length > 0 && found.every(({ mode }) => mode === 'made');
  }

  /**
   * Whether environments use the database role of an app that has one.
   * @throws AppSupervisorError DATABASE_ROLE_UNKNOWN
   */
  assertKnowsDatabaseRoles(environments: string[], field: string): void {
    const environment = environments.find((name) => !this.options.environmentCache.registrationOf(name)?.databaseRole);
    if (environment) throw new AppSupervisorError('DATABASE_ROLE_UNKNOWN', { environment }, field);
  }

  /** Why nothing that an environment says is believed; null if it is. */
  troubleOf(environment: string): AppSupervisorError | null {
    const { observer, aesKey } = this.options;
    const trouble = observer.environment(environment)?.trouble;
    if (trouble === 'OUTDATED') return new AppSupervisorError('OUTDATED', { environment });
    const variable = aesKey ? 'APP_SUPERVISOR_AES_SECRET_KEY' : 'APP_KEY';
    return trouble ? new AppSupervisorError('KEY_DIFFERS', { environment, variable }) : null;
  }

  /** Incompatibilities between an environment and the Supervisor. */
  findings(registration: Registration): Finding[] {
    const { isOneRelease } = this.options;
    const trouble = this.troubleOf(registration.name);
    return [
      ...(trouble ? [{ error: trouble, refuses: true }] : []),
      ...(isOneRelease ? [] : environmentFindings(registration, this.installed)),
    ];
  }

  /** Incompatibilities between an app's plugins and the Supervisor or its environments, as messages. */
  warningsOf(app: AppDefinition): Message[] {
    const { observer, isOneRelease } = this.options;
    if (isOneRelease) return [];
    const found = observer
      .reportsOf(app)
      .flatMap(({ environment, entry }) => appFindings(app.name, environment, entry.plugins, this.installed));
    // Two environments may lack the same plugin.
    return [...new Map(found.map((error) => [error.message, describeError(error)])).values()];
  }
}
