const SETTINGS = '/admin/settings/app-supervisor';

/** Addresses of the other pages, for links of the router. */
export const PATHS = {
  apps: `${SETTINGS}/apps`,
  environments: `${SETTINGS}/environments`,
  activity: `${SETTINGS}/activity`,
  notifications: `${SETTINGS}/notifications`,
  security: `${SETTINGS}/security`,
} as const;

/** Address of the page of an environment. */
export const environmentPath = (environment: string): string =>
  `${PATHS.environments}?${new URLSearchParams({ environment })}`;

/** Address of the page of an app. */
export const appPath = (app: string): string => `${PATHS.apps}?${new URLSearchParams({ app })}`;

/**
 * Parameters of the address of an app's log.
 * @param environment null: the first one of the app
 * @param until in ms since 1970; null: the newest lines
 */
export const logAddress = (app: string, environment: string | null, until: number | null): URLSearchParams =>
  new URLSearchParams({
    app,
    tab: 'log',
    ...(environment === null ? {} : { logOf: environment }),
    ...(until === null ? {} : { logUntil: new Date(until).toISOString() }),
  });

/** Those of them that are about the log alone. */
export const LOG_PARAMS = ['logOf', 'logUntil'];
