import coerce from 'semver/functions/coerce';
import compare from 'semver/functions/compare';
import parse from 'semver/functions/parse';
import { type Param, say } from '../../../shared/message';
import type { DatabaseContent } from '../../databases';
import { AppSupervisorError } from '../../errors';
import type { HostPlugin } from '../../nocobase/installed-plugins';

/** A plugin as stored in an app's database. */
export type PluginVersion = DatabaseContent['plugins'][number];

/** How an app boots: `start` loads it once (1.2 s), the other two load it twice and write to its database. */
export type BootPlan = 'install' | 'resumeInstall' | 'upgrade' | 'start';

/**
 * Chooses how an app boots, from the content of its database and what is installed here. Plain `start` only if the core
 * version, the version of every enabled plugin and the built-in set are unchanged, and no upgrade is unfinished.
 *
 * @throws AppSupervisorError APP_TOO_NEW, APP_UPGRADE_FORBIDDEN
 */
export function planBoot(
  app: { name: string; autoUpgrade: boolean },
  how: 'start' | 'restart' | 'upgrade',
  content: Pick<DatabaseContent, 'installed' | 'version'> & { plugins: PluginVersion[]; upgrading: boolean },
  host: { version: string; plugins: HostPlugin[] },
): BootPlan {
  if (content.installed === 'none') return 'install';
  if (content.installed === 'partial') return 'resumeInstall';
  const newer = newerOf(content, host);
  if (newer) throw new AppSupervisorError('APP_TOO_NEW', { app: app.name, ...newer });
  if (how === 'upgrade' || content.upgrading) return 'upgrade';
  const difference = differenceOf(content, host);
  if (!difference) return 'start';
  if (!app.autoUpgrade) {
    throw new AppSupervisorError('APP_UPGRADE_FORBIDDEN', { app: app.name, ...difference });
  }
  return 'upgrade';
}

/**
 * The part of the data that is newer than what is installed here; null if there is none. A plugin counts like the core:
 * otherwise this environment and a newer one would upgrade the app alternately.
 */
export function newerOf(
  content: { version: string | null; plugins: PluginVersion[] },
  host: { version: string; plugins: HostPlugin[] },
): { data: string; core: string } | null {
  if (content.version && compareVersions(content.version, host.version) > 0)
    return { data: `NocoBase ${content.version}`, core: host.version };
  const here = new Map(host.plugins.map(({ name, version }) => [name, version]));
  for (const { name, version, enabled } of content.plugins) {
    const current = here.get(name);
    if (enabled && current !== undefined && compareVersions(version, current) > 0)
      return { data: `${name} ${version}`, core: `${name} ${current}` };
  }
  return null;
}

function differenceOf(
  content: { version: string | null; plugins: PluginVersion[] },
  host: { version: string; plugins: HostPlugin[] },
): { data: Param; core: string } | null {
  if (content.version !== host.version)
    return { data: `NocoBase ${content.version}`, core: `NocoBase ${host.version}` };
  const here = new Map(host.plugins.map((plugin) => [plugin.name, plugin]));
  for (const plugin of content.plugins) {
    const current = here.get(plugin.name);
    if (plugin.enabled && current && current.version !== plugin.version) {
      return { data: `${plugin.name} ${plugin.version}`, core: `${plugin.name} ${current.version}` };
    }
  }
  const builtIn = new Set(content.plugins.filter((plugin) => plugin.builtIn).map((plugin) => plugin.name));
  const added = host.plugins.find((plugin) => plugin.builtIn && !builtIn.has(plugin.name));
  return added ? { data: say('WITHOUT_PLUGIN', { plugin: added.name }), core: `${added.name} ${added.version}` } : null;
}

/**
 * Compares by the rules of SemVer: a pre-release is older than its release. A text that is not a version counts as the
 * numbers in it, so a plugin's `2.2` is `2.2.0`.
 */
export function compareVersions(a: string, b: string): -1 | 0 | 1 {
  const versionOf = (text: string) => parse(text) ?? coerce(text) ?? '0.0.0';
  return compare(versionOf(a), versionOf(b));
}
