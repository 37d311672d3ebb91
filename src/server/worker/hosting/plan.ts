import coerce from 'semver/functions/coerce';
import compare from 'semver/functions/compare';
import parse from 'semver/functions/parse';
import { type Param, say } from '../../../shared/message';
import type { DatabaseContent } from '../../databases';
import { AppSupervisorError } from '../../errors';
import type { HostPlugin } from '../../nocobase/installed-plugins';

/** A plugin as an app's database has it. */
export interface PluginVersion extends HostPlugin {
  enabled: boolean;
}

/** How an app comes up: `start` is one load (1.2 s), the other two load twice and write. */
export type BootPlan = 'install' | 'resumeInstall' | 'upgrade' | 'start';

/**
 * Which way an app comes up, from what its database holds and what is installed here. Plain `start` only when core version,
 * every enabled plugin's version and the built-in set are unchanged, and no upgrade was left unfinished.
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
 * What of the data is newer than what is installed here; null when nothing is. A plugin counts like the core: with the older one here, this
 * environment and a newer one would upgrade the app to and fro.
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
 * By the rules of SemVer: a pre-release is older than its release. A text that is no version counts as the numbers in it, so that a plugin's
 * `2.2` is `2.2.0`.
 */
export function compareVersions(a: string, b: string): -1 | 0 | 1 {
  const versionOf = (text: string) => parse(text) ?? coerce(text) ?? '0.0.0';
  return compare(versionOf(a), versionOf(b));
}
