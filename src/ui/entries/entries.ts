import type { HostApp } from '@nocobase/flow-engine';
import { CHANGED } from '../../shared/names';
import type { AppEntry } from '../../shared/types';
import { createRefresher, keepRows } from '../common/refresher';

/** The client whose addresses are wanted. */
export type ClientName = 'classic' | 'modern';

export const entriesQuery = (client: ClientName, place?: 'switcher') => ({
  url: 'appEntries:list',
  params: { ...(client === 'modern' ? { client: 'v2' } : {}), ...(place ? { place } : {}) },
});

/** In ms: changes come in crowds, and this is in every page of a client. */
const REST = 2_000;

/**
 * What the app switcher shows, from the first time that it is asked for.
 *
 * @param changed gets it whenever it has become another.
 * @returns what asks now. What cannot be told leaves it as it was, which is no reason to bother anybody.
 */
export function followPinned(
  app: HostApp,
  client: ClientName,
  changed: (entries: AppEntry[]) => void,
): () => Promise<AppEntry[]> {
  let known: AppEntry[] = [];
  const refresher = createRefresher(async () => {
    const next = keepRows(known, (await ask(app, client)) ?? known, ({ name }) => name);
    if (next === known) return;
    known = next;
    changed(known);
  }, REST);
  let isFollowed = false;
  return async () => {
    if (!isFollowed) app.eventBus.addEventListener(`ws:message:${CHANGED}`, refresher.soon);
    isFollowed = true;
    await refresher.run();
    return known;
  };
}

async function ask(app: HostApp, client: ClientName): Promise<AppEntry[] | null> {
  try {
    const { data } = await app.apiClient.request({ ...entriesQuery(client, 'switcher'), skipNotify: true });
    const entries = (data as { data?: AppEntry[] }).data;
    return Array.isArray(entries) ? entries : null;
  } catch {
    return null;
  }
}
