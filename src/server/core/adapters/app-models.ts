import type { AppIndexEntry } from '../../../shared/messages';
import type { AppModel } from './managed';

/**
 * The core's view of all apps, in the same order in every process: neither the store nor the readers of definitions
 * keep an order.
 */
export const appModelsOf = (entries: AppIndexEntry[]): AppModel[] =>
  [...entries].sort((a, b) => a.sort - b.sort || (a.name < b.name ? -1 : 1)).map(modelOf);

/** The core's view of an app (app-supervisor/types.ts:73), as a deep copy, because plugins modify what they get. */
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
