import { leadsToDomain } from '../../../shared/domain-check';
import type { AppIndexEntry } from '../../../shared/messages';
import { labelOf, labelsOf, parseAppsDomain } from '../../../shared/origins';
import type { AppModel } from './managed';

/**
 * The core's view of all apps, in the same order in every process: neither the store nor the readers of definitions
 * keep an order.
 * @param appsDomain `APP_SUPERVISOR_APPS_DOMAIN`: an app without a custom domain has its host below it as `cname`, because
 * that is where the core's own links should lead
 */
export function appModelsOf(entries: AppIndexEntry[], appsDomain: string | null = null): AppModel[] {
  const hostOf = hostsBelow(appsDomain, entries);
  return [...entries]
    .sort((a, b) => a.sort - b.sort || (a.name < b.name ? -1 : 1))
    .map((entry) => {
      const below = hostOf(entry.name);
      return modelOf(entry, leadsToDomain(entry) ? entry.cname : below, [entry.cname, below]);
    });
}

function hostsBelow(appsDomain: string | null, entries: AppIndexEntry[]): (name: string) => string | null {
  const domain = appsDomain === null ? null : parseAppsDomain(appsDomain);
  if (!domain) return () => null;
  const labels = labelsOf(entries.map(({ name }) => name));
  return (name) => {
    const label = labelOf(name);
    return label !== null && labels.get(label) === name ? `${label}.${domain.host}` : null;
  };
}

/** The core's view of an app (app-supervisor/types.ts:73), as a deep copy, because plugins modify what they get. */
const modelOf = (entry: AppIndexEntry, cname: string | null, hosts: Array<string | null>): AppModel => ({
  name: entry.name,
  title: entry.title,
  ...(entry.icon ? { icon: entry.icon } : {}),
  ...(cname ? { cname } : {}),
  hosts: hosts.filter((host) => host !== null),
  sort: entry.sort,
  pinned: entry.pinned,
  visibleTo: entry.visibleTo,
  visibleRoles: [...entry.visibleRoles],
  environments: [...entry.environments],
  options: {
    ...(entry.startMode === 'withMain' ? { autoStart: true } : {}),
    ...(entry.hidden ? { hidden: true } : {}),
    ...(entry.sso ? { sso: structuredClone(entry.sso) } : {}),
  },
});
