import type { Model } from '@nocobase/database';
import type { GuardedContext } from './actions';
import type { Guard } from './guard';

/**
 * The options of a custom request that its form has. NocoBase passes all others on to axios: `socketPath` reaches every
 * service of the host, and `baseURL` every address that `SERVER_REQUEST_WHITELIST` excludes.
 */
const RUN_TIME = ['method', 'headers', 'params', 'data', 'timeout', 'responseType', 'collectionName', 'dataSourceKey'];
const STORED = ['url', ...RUN_TIME];

/** Only the named options of an object. */
export const pick = (options: unknown, names: string[]): Record<string, unknown> =>
  Object.fromEntries(Object.entries((options ?? {}) as object).filter(([name]) => names.includes(name)));

export const storedOptionsOf = (options: unknown) => pick(options, STORED);

async function confineRequest({ action }: GuardedContext, next: () => Promise<unknown>): Promise<void> {
  if (action?.resourceName === 'customRequests' && action.actionName === 'send') {
    const { options, ...values } = (action.params.values ?? {}) as { options?: unknown };
    action.params.values = { ...values, ...(options ? { options: pick(options, RUN_TIME) } : {}) };
  }
  await next();
}

const HOOK = 'appSupervisorRequests';

/** Whoever wrote the row. */
function confineRows(found: Model | Model[] | null): void {
  for (const row of found === null ? [] : [found].flat()) {
    const values = (row.dataValues ?? row) as { options?: unknown };
    if (values.options) values.options = storedOptionsOf(values.options);
  }
}

/** Custom requests of an app go to the address that their form has. */
export const requests: Guard = {
  afterLoad: (app) => {
    app.resourceManager.use(confineRequest, { tag: 'appSupervisorRequests', before: 'validate-filter-params' });
    // It does not exist while the plugin is disabled.
    const model = app.db.hasCollection('customRequests') ? app.db.getModel('customRequests') : null;
    model?.removeHook('afterFind', HOOK);
    model?.addHook('afterFind', HOOK, confineRows as never);
  },
};
