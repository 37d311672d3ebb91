/** The snippet of the page "Apps". */
export const APPS = 'pm.app-supervisor.apps';

/** The snippet of the page "Environments". */
export const ENVIRONMENTS = 'pm.app-supervisor.environments';

/** The snippet of the page "Notifications". */
export const NOTIFICATIONS = 'pm.app-supervisor.notifications';

/** The snippet of the page "Security checklist". */
export const SECURITY = 'pm.app-supervisor.security';

/**
 * Whether NocoBase shows the page of a snippet, by the snippets of the user's role
 * (client-v2, PluginSettingsManager.ts, `hasAuth`): it does unless it is denied.
 */
export const isShownTo = (snippets: readonly string[], snippet: string): boolean =>
  !snippets.includes('!pm.*') && !snippets.includes(`!${snippet}`);
