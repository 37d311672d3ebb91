import type { HostApp } from '@nocobase/flow-engine';
import type { ComponentType } from 'react';
import { CHANGED } from '../../shared/names';
import type { AppEntry } from '../../shared/types';
import { createRefresher, keepRows } from '../common/refresher';

/** The client that the links lead to. */
export type ClientName = 'classic' | 'modern';

/** `switcher`: what is shown there; `action`: all that the user sees, for a page's designer to choose from. */
export type Place = 'switcher' | 'action';

export const entriesQuery = (client: ClientName, place?: Place) => ({
  url: 'appEntries:list',
  params: { client: client === 'modern' ? 'v2' : 'v1', ...(place ? { place } : {}) },
});

/** Where an action keeps which app it opens. */
export const SAVED = { flow: 'appEntry', step: 'app' };

export type RegisterIcon = (type: string, icon: ComponentType) => void;

/** The apps that the user sees, asked for once a page needs them. */
export interface Entries {
  /** As of the last answer; null before the first one. */
  known(): AppEntry[] | null;
  load(): Promise<AppEntry[]>;
  /** @returns a function that ends it */
  onChange(listener: () => void): () => void;
  titleOf(entry: AppEntry): string;
}

/** In ms. Changes come in bursts, and every page of a client runs this code. */
const REST = 2_000;

/** How long after a failure the list is asked for again, in ms; each further one doubles it, up to the longest. */
const AGAIN = 1_000;
const LONGEST = 60_000;

/**
 * Follows the apps of a place, from the first use on.
 *
 * @param changed called whenever the list has changed
 * @returns a function that loads the list now. If loading fails, the list stays as it is, without an error message, and is
 * loaded later. As long as nobody is signed in, the server is not asked: a client shows its layout already then, and makes it only once.
 */
export function followEntries(
  app: HostApp,
  { client, place }: { client: ClientName; place: Place },
  changed: (entries: AppEntry[]) => void,
): () => Promise<AppEntry[]> {
  let known: AppEntry[] = [];
  let wait = AGAIN;
  let retry: ReturnType<typeof setTimeout> | undefined;
  const refresher = createRefresher(async () => {
    const isSignedIn = Boolean(app.apiClient.auth.token);
    const answer = isSignedIn ? await ask(app, entriesQuery(client, place)) : null;
    clearTimeout(retry);
    if (!answer) {
      retry = setTimeout(() => void refresher.run(), wait);
      if (isSignedIn) wait = Math.min(2 * wait, LONGEST);
      return;
    }
    wait = AGAIN;
    const next = keepRows(known, answer, ({ name }) => name);
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

/** What somebody may not save is used as it is. */
export const unlessRefused = (saving: Promise<unknown>): Promise<unknown> =>
  saving.catch((error: { response?: { status?: number } }) => {
    if (error.response?.status !== 403) throw error;
  });

async function ask(app: HostApp, query: ReturnType<typeof entriesQuery>): Promise<AppEntry[] | null> {
  try {
    const { data } = await app.apiClient.request({ ...query, skipNotify: true });
    const entries = (data as { data?: AppEntry[] }).data;
    return Array.isArray(entries) ? entries : null;
  } catch {
    return null;
  }
}
