const SETTINGS = '/admin/settings/app-supervisor';

/** Addresses of the other pages, for links of the router. */
export const PATHS = {
  apps: `${SETTINGS}/apps`,
  environments: `${SETTINGS}/environments`,
  activity: `${SETTINGS}/activity`,
  notifications: `${SETTINGS}/notifications`,
  security: `${SETTINGS}/security`,
} as const;
