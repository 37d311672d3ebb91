import type { Context, Next } from '@nocobase/actions';
import type { Application } from '@nocobase/server';
import { z } from 'zod';
import { isVisible } from '../../shared/visibility';
import type { Config } from '../config';
import type { AppModel } from './adapters/managed';

/** What NocoBase's ACL stores of the user whose request it is: all roles, whichever of them is in use. */
const userWithRoles = z.object({ roles: z.array(z.object({ name: z.string() })) });

/**
 * The roles of the user in the fleet's main app; null if they are not known: users of an app, and of a Worker's own main
 * app, are not users of the fleet's main app.
 */
export function rolesOf(ctx: Context, app: Pick<Application, 'name'>, part: Config['part']): string[] | null {
  if (app.name !== 'main' || part === 'worker') return null;
  const { data } = userWithRoles.safeParse(ctx.state.currentUser);
  return data?.roles.map(({ name }) => name) ?? null;
}

/** The apps that a user sees. An app is always seen from inside. */
export const visibleModels = (models: AppModel[], roles: string[] | null, own: string): AppModel[] =>
  models.filter((model) => model.name === own || isVisible(model, roles));

const portals = z.object({
  apps: z.array(z.looseObject({ name: z.string() })),
  portals: z.array(z.looseObject({ appName: z.string() })),
});

/** NocoBase's own `app:getPortals` names every app to every user; this removes the apps that the user does not see. */
export function hidePortals(app: Application, part: Config['part'], models: () => AppModel[]): void {
  const filterPortals = async (ctx: Context, next: Next) => {
    await next();
    if (ctx.action?.resourceName !== 'app' || ctx.action.actionName !== 'getPortals') return;
    const all = models();
    const seen = new Set(visibleModels(all, rolesOf(ctx, app, part), app.name).map(({ name }) => name));
    const hidden = new Set(all.map(({ name }) => name).filter((name) => !seen.has(name)));
    const found = portals.parse(ctx.body);
    ctx.body = {
      apps: found.apps.filter(({ name }) => !hidden.has(name)),
      portals: found.portals.filter(({ appName }) => !hidden.has(appName)),
    };
  };
  app.resourceManager.use(filterPortals as never, { tag: 'appSupervisorPortals', after: 'acl' });
}
