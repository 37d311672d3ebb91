import type { AppIndexEntry } from '../../../shared/messages';
import type { AppModel } from './managed';

/**
 * What the core gets to know of all apps, in one order in every process: neither the store keeps one, nor those that read
 * definitions as they change.
 */
export const appModelsOf = (entries: AppIndexEntry[]): AppModel[] =>
  [...entries].sort((a, b) => a.sort - b.sort || (a.name < b.name ? -1 : 1)).map(modelOf);

/** The core's view of an app (app-supervisor/types.ts:73), a copy through and through: plugins change what they get. */
const modelOf = (entry: AppIndexEntry): AppModel => ({
  name: entry.name,
  title: entry.title,
  ...(entry.icon ? { icon: entry.icon } : {}),
  ...(entry.cname ? { cname: entry.cname } : {}),
  sort: entry.sort,
  pinned: entry.pinned,
  environments: [...entry.environments],
  options: {
    ...(entry.startMode === 'withMain' ? { autoStart: true } : {}),
    ...(entry.hidden ? { hidden: true } : {}),
    ...(entry.sso ? { sso: structuredClone(entry.sso) } : {}),
  },
});
