import type { Application, AppSupervisor } from '@nocobase/server';
import { actions } from './actions';
import { type Guard, isHosted } from './guard';
import { mcp } from './mcp';
import { plugins } from './plugins';

/** What the administrator of a hosted app is kept from: docs/hosted-apps.md. */
const GUARDS: Guard[] = [actions, plugins, mcp];

/** Guards every app but the main one, from the moment it exists, whatever plugins it has enabled. */
export function guardHostedApps(supervisor: AppSupervisor): void {
  supervisor.on('afterAppAdded', function guardApp(app: Application) {
    if (!isHosted(app)) return;
    for (const guard of GUARDS) guard.beforeLoad?.(app);
    app.on('afterLoad', () => {
      for (const guard of GUARDS) guard.afterLoad?.(app);
    });
  });
}
