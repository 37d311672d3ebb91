import type { Application, AppSupervisor } from '@nocobase/server';
import type { HostConfig } from '../../config';
import { actions } from './actions';
import { foreignServers } from './foreign-servers';
import { type Guard, isHosted } from './guard';
import { languages } from './languages';
import { mcp } from './mcp';
import { plugins } from './plugins';
import { taskFiles } from './task-files';

/** What the administrator of a hosted app may not do: docs/hosted-apps.md. */
const guardsOf = ({ temporaryPath }: HostConfig): Guard[] => [
  actions,
  plugins,
  mcp,
  languages,
  taskFiles(temporaryPath),
  foreignServers,
];

/** Guards every app except the main one, from its creation, whatever plugins it has enabled. */
export function guardHostedApps(supervisor: AppSupervisor, host: HostConfig): void {
  const guards = guardsOf(host);
  supervisor.on('afterAppAdded', function guardApp(app: Application) {
    if (!isHosted(app)) return;
    for (const guard of guards) guard.beforeLoad?.(app);
    app.on('afterLoad', () => {
      for (const guard of guards) guard.afterLoad?.(app);
    });
  });
}
