import type { AppPlugin, Registration } from '../../../shared/messages';
import { lineOf } from '../../../shared/nocobase-releases';
import { AppSupervisorError } from '../../errors';

/**
 * Which instances may work together; docs/upgrading.md describes the same rules. A browser that opens an app through
 * the Supervisor gets pages and plugins from the Supervisor's files, and everything else from the environment.
 */

/** What is installed on the Supervisor. */
export interface Installed {
  appVersion: string;
  /** By plugin, its version, or null if it is not installed; absent if it was not looked up yet. */
  plugins: ReadonlyMap<string, string | null>;
}

export interface Finding {
  error: AppSupervisorError;
  /** Whether the environment gets no apps until this is fixed; its existing apps continue to run. */
  refuses: boolean;
}

type Release = Pick<Registration, 'name' | 'appVersion' | 'plugins'>;

/** Maximum number of names in one message. */
const NAMES = 5;

/** Incompatibilities between an environment and the Supervisor. */
export function environmentFindings(environment: Release, supervisor: Installed): Finding[] {
  const { name, appVersion } = environment;
  const versions = { environment: name, version: appVersion, supervisor: supervisor.appVersion };
  const sameLine = lineOf(appVersion) === lineOf(supervisor.appVersion);
  const found: Finding[] = [];
  if (!sameLine) found.push({ error: new AppSupervisorError('VERSION_DIFFERS', versions), refuses: true });
  else if (appVersion !== supervisor.appVersion)
    found.push({ error: new AppSupervisorError('PATCH_DIFFERS', versions), refuses: false });
  const plugins = environment.plugins.map(parsePlugin);
  const missing = plugins.filter((plugin) => supervisor.plugins.get(plugin.name) === null);
  if (missing.length) {
    const error = new AppSupervisorError('PLUGINS_MISSING', { owner: name, plugins: listOf(missing) });
    found.push({ error, refuses: true });
  }
  // Plugins of NocoBase itself have its version, which was reported above.
  const own = plugins.filter((plugin) => plugin.version !== appVersion);
  const other = own.filter((plugin) => differs(plugin, supervisor));
  if (other.length) {
    const error = new AppSupervisorError('PLUGINS_DIFFER', { owner: name, plugins: listOf(other) });
    found.push({ error, refuses: false });
  }
  return found;
}

/** Incompatibilities between an app's own plugins and the Supervisor, or the environment that reported them. */
export function appFindings(
  app: string,
  environment: string,
  plugins: AppPlugin[],
  supervisor: Installed,
): AppSupervisorError[] {
  const absent = plugins.filter((plugin) => !plugin.installed);
  const here = plugins.filter((plugin) => plugin.installed);
  const missing = here.filter((plugin) => supervisor.plugins.get(plugin.name) === null);
  const other = here.filter((plugin) => plugin.version !== supervisor.appVersion && differs(plugin, supervisor));
  const named = (some: AppPlugin[]) => ({ owner: app, plugins: listOf(some) });
  return [
    ...(absent.length ? [new AppSupervisorError('PLUGINS_ABSENT', { ...named(absent), environment })] : []),
    ...(missing.length ? [new AppSupervisorError('PLUGINS_MISSING', named(missing))] : []),
    ...(other.length ? [new AppSupervisorError('PLUGINS_DIFFER', named(other))] : []),
  ];
}

/**
 * Why two environments cannot host the same app: the newer one upgrades its data, and then the older one cannot start
 * it. Null if they can.
 */
export function disagreement(one: Release, other: Release): AppSupervisorError | null {
  const differ = (what: string, here: string, there: string) =>
    new AppSupervisorError('ENVIRONMENTS_DIFFER', { one: one.name, other: other.name, what, here, there });
  if (one.appVersion !== other.appVersion) return differ('NocoBase', one.appVersion, other.appVersion);
  const there = new Map(other.plugins.map(parsePlugin).map(({ name, version }) => [name, version]));
  for (const { name, version } of one.plugins.map(parsePlugin)) {
    const version2 = there.get(name);
    if (version2 !== version) return differ(name, version, version2 ?? '-');
    there.delete(name);
  }
  const [rest] = there;
  return rest ? differ(rest[0], '-', rest[1]) : null;
}

function differs({ name, version }: { name: string; version: string }, supervisor: Installed): boolean {
  const installed = supervisor.plugins.get(name);
  return installed !== undefined && installed !== null && installed !== version;
}

/** Of `<name>@<version>`. */
function parsePlugin(text: string): { name: string; version: string } {
  const at = text.lastIndexOf('@');
  return { name: text.slice(0, at), version: text.slice(at + 1) };
}

const listOf = (plugins: Array<{ name: string; version: string }>): string => {
  const names = plugins.slice(0, NAMES).map(({ name, version }) => `${name} ${version}`);
  return plugins.length > NAMES ? `${names.join(', ')}, …` : names.join(', ');
};
