import type { Host } from '../host';

const STORED = 'app-supervisor.visit.';

/** Answered by the proxy: it remembers the environment in a cookie and goes on to the app. */
export function visitUrl(host: Pick<Host, 'apiUrl' | 'appUrl'>, app: string, environment: string): string {
  const query = new URLSearchParams({ environment, to: host.appUrl(app) });
  return host.apiUrl(`__app/${app}/__visit?${query}`);
}

export const rememberVisit = (app: string, environment: string): void =>
  localStorage.setItem(STORED + app, environment);
export const rememberedVisit = (app: string): string | null => localStorage.getItem(STORED + app);
