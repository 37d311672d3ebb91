import type { Application } from '@nocobase/server';
import type { PartInfo } from '../../shared/types';
import type { Config } from '../config';
import type { Runtime } from './runtime';

/** `appSupervisor:info`: the role of this process, and what its own page shows. */
export function registerPartInfo(app: Application, config: Config | null, runtime: Runtime | null): void {
  const infoOfNone = { environment: null, warnings: config?.warnings ?? [] };
  app.resourceManager.define({
    name: 'appSupervisor',
    // Without it, the resource would have all actions of the core.
    only: ['info'],
    actions: {
      info: async (ctx, next) => {
        ctx.body = {
          part: config?.part ?? 'dormant',
          ...(runtime?.info() ?? infoOfNone),
        } satisfies PartInfo;
        await next();
      },
    },
  });
  app.acl.registerSnippet({ name: 'pm.app-supervisor', actions: ['appSupervisor:*'] });
}
