import type { HostApp } from '@nocobase/flow-engine';
import type { AppEntry } from '../../shared/types';

/** The client whose addresses are wanted. */
export type ClientName = 'classic' | 'modern';

export const entriesQuery = (client: ClientName, place?: 'switcher') => ({
  url: 'appEntries:list',
  params: { ...(client === 'modern' ? { client: 'v2' } : {}), ...(place ? { place } : {}) },
});

/** What the app switcher shows; nothing where it cannot be asked for, which is no reason to bother anybody. */
export async function pinnedEntries(app: HostApp, client: ClientName): Promise<AppEntry[]> {
  try {
    const { data } = await app.apiClient.request({ ...entriesQuery(client, 'switcher'), skipNotify: true });
    const entries = (data as { data?: AppEntry[] }).data;
    return Array.isArray(entries) ? entries : [];
  } catch {
    return [];
  }
}
