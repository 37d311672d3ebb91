import type { Host } from '../host';

const STORED = 'app-supervisor.visit.';

/** The proxy answers this URL: it stores the environment in a cookie and redirects to the app. */
export function visitUrl(host: Pick<Host, 'apiUrl' | 'appUrl'>, app: string, environment: string): string {
  const query = new URLSearchParams({ environment, to: host.appUrl(app) });
  return host.apiUrl(`__app/${app}/__visit?${query}`);
}

export const rememberVisit = (app: string, environment: string): void =>
  localStorage.setItem(STORED + app, environment);
export const rememberedVisit = (app: string): string | null => localStorage.getItem(STORED + app);
