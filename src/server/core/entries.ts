import type { Context, Next } from '@nocobase/actions';
import type { Application } from '@nocobase/server';
import { z } from 'zod';
import { clientPath, clientPathsOf } from '../../shared/client-paths';
import { type Addresses, addressOf } from '../../shared/origins';
import type { AppEntry } from '../../shared/types';
import type { Config } from '../config';
import type { AppModel, AppStatuses } from './adapters/managed';
import type { Runtime } from './runtime';
import { hidePortals, rolesOf, visibleModels } from './viewer';

/** The statuses of an app, ordered by how likely a visit works. */
const BEST_FIRST = ['running', 'dormant', 'commanding', 'initializing', 'initialized', 'preparing', 'waiting'];

/** One status for an app that may run in several environments; null where this process does not know all of them. */
export function entryStatus(
  { name, environments }: Pick<AppModel, 'name' | 'environments'>,
  known: AppStatuses,
): string | null {
  const { [name]: found = {} } = known;
  const all: Array<string | undefined> =
    typeof found === 'string' ? [found] : environments.map((environment) => found[environment]);
  return all.includes(undefined) ? null : (BEST_FIRST.find((best) => all.includes(best)) ?? all[0] ?? null);
}

const CLIENTS = { v1: 'legacy', v2: 'modern' } as const;

/** The parameters of a request. None of them is secret, and a value that does not parse is ignored. */
const query = z.object({
  /**
   * `switcher`: the entries shown there, even if they are hidden elsewhere; inside an app also the link back to the
   * main app. `action`: all that the user sees, for a page's designer to choose from, with that link, too.
   */
  place: z.enum(['switcher', 'action']).optional().catch(undefined),
  /** The client that asks: `v1` the classic one, `v2` the modern one. */
  client: z.enum(['v1', 'v2']).optional().catch(undefined),
});

/** How visitors reach an entry. */
export interface Entrance extends Addresses {
  /** `APP_PUBLIC_PATH`, with that of the client below it. */
  path: string;
}

/**
 * The address of an app: its own domain, or its path below the Supervisor's address. Absolute if possible, because the
 * page that shows it may be on another domain. Without a public address it is relative, and wrong on an app's own domain.
 */
export function entryUrl(app: Pick<AppModel, 'name' | 'cname'>, { path, ...addresses }: Entrance): string {
  const { publicUrl } = addresses;
  if (app.cname) return `${addressOf(app.cname, addresses)}${path}admin/`;
  return `${publicUrl ?? ''}${path}${app.name === 'main' ? '' : `apps/${app.name}/`}admin/`;
}

type List = (ctx: Context) => Promise<AppEntry[]>;

function entriesFor(app: Application, { part, host }: Config, runtime: Runtime): List {
  const isMain = app.name === 'main';
  return async (ctx) => {
    const { place, client } = query.parse(ctx.action.params);
    const entrance = {
      publicUrl: runtime.publicUrl,
      appsDomain: runtime.appsDomain,
      path: clientPath(clientPathsOf(host), client ? CLIENTS[client] : null),
    };
    const all = visibleModels(runtime.models(), rolesOf(ctx, app, part), app.name);
    const models = all.filter(({ pinned, options }) => (place === 'action' ? true : place ? pinned : !options.hidden));
    const statuses = await runtime.statuses(models.map(({ name }) => name));
    const entries = models.map(
      (model): AppEntry => ({
        name: model.name,
        title: model.title,
        icon: model.icon ?? null,
        url: entryUrl(model, entrance),
        // From the main app in a new tab, from one app to another in the same tab.
        target: isMain ? '_blank' : '_self',
        status: entryStatus(model, statuses),
        pinned: model.pinned,
      }),
    );
    const own = runtime.models().find(({ name }) => name === app.name);
    // The host as the browser reports it: a proxy may have changed `Host`.
    const isOnOwnDomain = own?.hosts.includes(ctx.get('X-Hostname') || ctx.hostname) ?? false;
    // Without a known address the link back from an app's own domain would lead to that app.
    if (!place || isMain || (isOnOwnDomain && !entrance.publicUrl)) return entries;
    const main = { name: 'main', title: 'Main', icon: null, status: 'running', pinned: true } as const;
    return [{ ...main, url: entryUrl(main, entrance), target: '_self' }, ...entries];
  };
}

/**
 * `appEntries:list`, for any signed-in user of the main app and of every app: the apps that the user sees. A
 * dormant plugin returns an empty list, because every page of both clients sends this request.
 */
export function registerEntries(app: Application, config: Config | null, runtime: Runtime | null): void {
  const list: List = config && runtime ? entriesFor(app, config, runtime) : async () => [];
  app.resourceManager.define({
    name: 'appEntries',
    only: ['list'],
    actions: {
      list: async (ctx: Context, next: Next) => {
        ctx.body = await list(ctx);
        await next();
      },
    },
  });
  app.acl.allow('appEntries', 'list', 'loggedIn');
  if (config && runtime) hidePortals(app, config.part, () => runtime.models());
}
