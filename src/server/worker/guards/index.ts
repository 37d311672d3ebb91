import type { Application, AppSupervisor } from '@nocobase/server';
import type { HostConfig } from '../../config';
import { actions } from './actions';
import { files } from './files';
import { foreignServers } from './foreign-servers';
import { type Guard, isHosted } from './guard';
import { languages } from './languages';
import { mcp } from './mcp';
import { plugins } from './plugins';
import { taskFiles } from './task-files';

/** What the administrator of a hosted app may not do: docs/hosted-apps.md. */
const guardsOf = (host: HostConfig, main: () => Application | null): Guard[] => [
  actions,
  plugins,
  mcp,
  languages,
  taskFiles(host.temporaryPath),
  foreignServers,
  files(host, main),
];

/** Guards every app except the main one, from its creation, whatever plugins it has enabled. */
export function guardHostedApps(supervisor: AppSupervisor, host: HostConfig): void {
  let main: Application | null = null;
  const guards = guardsOf(host, () => main);
  supervisor.on('afterAppAdded', function guardApp(app: Application) {
    if (app.name === 'main') main = app;
    if (!isHosted(app)) return;
    for (const guard of guards) guard.beforeLoad?.(app);
    app.on('afterLoad', () => {
      for (const guard of guards) guard.afterLoad?.(app);
    });
  });
}
