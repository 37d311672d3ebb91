import type { Context, Next } from '@nocobase/actions';
import type { Application } from '@nocobase/server';
import type { AppEntry } from '../../shared/types';
import type { AppModel } from '../adapters/managed';
import type { Config } from '../config';
import type { Runtime } from '../runtime';

/** Which of an app's statuses says most about whether a visit will work. */
const BEST_FIRST = ['running', 'dormant', 'commanding', 'initializing', 'initialized', 'preparing', 'waiting'];

/** One word for an app that may lie in several environments. */
export function entryStatus(status: string | Record<string, string> | undefined): string {
  const all = typeof status === 'string' ? [status] : Object.values(status ?? {});
  return BEST_FIRST.find((best) => all.includes(best)) ?? all[0] ?? 'unknown';
}

/**
 * Where an app is entered: its own domain, or its path below the Supervisor's address. Absolute as far as it can be, since
 * the page that shows it may be on another domain.
 */
export function entryUrl(app: Pick<AppModel, 'name' | 'cname'>, publicUrl: string | null, publicPath: string): string {
  if (app.cname) return `${publicUrl ? new URL(publicUrl).protocol : ''}//${app.cname}${publicPath}admin/`;
  const path = app.name === 'main' ? 'admin/' : `apps/${app.name}/admin/`;
  return `${publicUrl ?? ''}${publicPath}${path}`;
}

/** `appEntries:list`, for any signed-in user of the main app and of every app: what there is to enter, and nothing else. */
export function registerEntries(app: Application, config: Config | null, runtime: Runtime | null): void {
  if (!config || !runtime) return;
  const isMain = app.name === 'main';
  const { publicUrl, host } = config;
  app.resourceManager.define({
    name: 'appEntries',
    only: ['list'],
    actions: {
      list: async (ctx: Context, next: Next) => {
        const models = runtime.models().filter(({ options }) => !options.hidden);
        const statuses = runtime.statuses(models.map(({ name }) => name));
        const entries = models.map(
          (model): AppEntry => ({
            name: model.name,
            title: model.title,
            icon: model.icon ?? null,
            url: entryUrl(model, publicUrl, host.publicPath),
            // From the main app in a new tab, from one app to another in the same one.
            target: isMain ? '_blank' : '_self',
            status: entryStatus(statuses[model.name]),
            pinned: model.pinned,
          }),
        );
        ctx.body = entries;
        await next();
      },
    },
  });
  app.acl.allow('appEntries', 'list', 'loggedIn');
}
