import type { Application } from '@nocobase/server';
import type { Config } from '../config';
import { variablesToJoin } from '../supervisor/fleet/join-variables';
import type { Runtime } from './runtime';

/** `appSupervisor:info`: which part this process plays, and what its own page shows of it. */
export function registerPartInfo(app: Application, config: Config | null, runtime: Runtime | null): void {
  app.resourceManager.define({
    name: 'appSupervisor',
    actions: {
      info: async (ctx, next) => {
        ctx.body = {
          part: config?.part ?? 'dormant',
          environment: runtime?.worker?.environment ?? null,
          warnings: runtime?.warnings() ?? config?.warnings ?? [],
          ...(config?.part === 'supervisor' ? { toJoin: variablesToJoin(config) } : {}),
          ...(config?.part === 'worker' ? runtime?.worker?.about() : {}),
        };
        await next();
      },
    },
  });
  app.acl.registerSnippet({ name: 'pm.app-supervisor', actions: ['appSupervisor:*'] });
}
