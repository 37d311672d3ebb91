import type { HostApp } from '@nocobase/flow-engine';
import { CHANGED } from '../../shared/names';
import type { AppEntry } from '../../shared/types';
import { createRefresher, keepRows } from '../common/refresher';

/** The client that the links lead to. */
export type ClientName = 'classic' | 'modern';

export const entriesQuery = (client: ClientName, place?: 'switcher') => ({
  url: 'appEntries:list',
  params: { ...(client === 'modern' ? { client: 'v2' } : {}), ...(place ? { place } : {}) },
});

/** In ms. Changes come in bursts, and every page of a client runs this code. */
const REST = 2_000;

/**
 * Follows the apps that the app switcher shows, from its first use on.
 *
 * @param changed called whenever the list has changed
 * @returns a function that loads the list now. If loading fails, the list stays as it is, without an error message.
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
    if (!isFollowed) follow(app, refresher.soon);
    isFollowed = true;
    await refresher.run();
    return known;
  };
}

/** A page that is hidden loads when it is seen again. */
function follow(app: HostApp, load: () => void): void {
  let isOld = false;
  const loadIfSeen = () => {
    isOld = document.hidden;
    if (!isOld) load();
  };
  app.eventBus.addEventListener(`ws:message:${CHANGED}`, loadIfSeen);
  document.addEventListener('visibilitychange', () => {
    if (isOld) loadIfSeen();
  });
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
