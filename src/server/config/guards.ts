import { list, type Variables } from './variables';

/** What administrators of apps may do, and for how long: docs/hosted-apps.md. */
export interface GuardConfig {
  /** `APP_SUPERVISOR_APP_PLUGINS`: whether apps add and remove plugins, and which risky ones they may enable. */
  appPlugins: { upload: boolean; allowed: string[] };
  /** The most that a script of a workflow takes, in ms: `APP_SUPERVISOR_SCRIPT_TIMEOUT`. */
  scriptTimeout: number;
  /** The most that a formula or a pattern takes, in ms: `APP_SUPERVISOR_FORMULA_TIMEOUT`. */
  formulaTimeout: number;
  /**
   * How long the event loop may not turn before the process is ended, in ms (`APP_SUPERVISOR_LOOP_LIMIT`); null: it is not ended, because
   * nothing starts it again (`APP_SUPERVISOR_RESTARTED`).
   */
  loopLimit: number | null;
  /** Folders beside `storage/uploads` in which the operator allowed local storages (p-file-manager, local.ts). */
  storageRoots: string[];
}

export function guardConfigOf(variables: Variables): GuardConfig {
  const { env } = variables;
  const loopLimit = 1000 * variables.whole('APP_SUPERVISOR_LOOP_LIMIT', 5, 3_600, 60);
  const words = list(env.APP_SUPERVISOR_APP_PLUGINS, []);
  return {
    appPlugins: { upload: words.includes('upload'), allowed: words.filter((word) => word !== 'upload') },
    scriptTimeout: 1000 * variables.whole('APP_SUPERVISOR_SCRIPT_TIMEOUT', 1, 86_400, 60),
    formulaTimeout: variables.whole('APP_SUPERVISOR_FORMULA_TIMEOUT', 10, 60_000, 1000),
    loopLimit: variables.flag('APP_SUPERVISOR_RESTARTED') ? loopLimit : null,
    storageRoots: [...list(env.LOCAL_STORAGE_DEST, []), ...list(env.LOCAL_STORAGE_ALLOWED_ROOTS, [])],
  };
}
