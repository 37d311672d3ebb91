import type { Application, AppSupervisor } from '@nocobase/server';
import type { Clock } from '../../clock';
import type { HostConfig } from '../../config/core-settings';
import type { GuardConfig } from '../../config/guards';
import type { WorkLog } from '../watchdog/busy-with';
import { actions } from './actions';
import { caches } from './caches';
import { requests } from './custom-requests';
import { timeLimits } from './evaluation-limit';
import { files } from './files';
import { foreignServers } from './foreign-servers';
import { type Guard, isHosted } from './guard';
import { documents, images } from './images';
import { jsonQueries } from './json-queries';
import { languages } from './languages';
import { loops } from './loops';
import { mails } from './mail';
import { mcp } from './mcp';
import { plugins } from './plugins';
import { scripts } from './scripts';
import { taskFiles } from './task-files';
import { tasks } from './tasks';
import { templates } from './templates';
import { workOfApps } from './work-notes';

/** What the guards need of this process. */
export interface Guarded {
  host: HostConfig;
  guards: GuardConfig;
  clock: Clock;
  work: WorkLog;
}

/** What the administrator of a hosted app may not do: docs/hosted-apps.md. */
const guardsOf = ({ host, guards, clock, work }: Guarded, main: () => Application | null): Guard[] => [
  actions(guards, clock),
  plugins(host, guards),
  mcp,
  languages,
  taskFiles(host),
  tasks(host),
  foreignServers,
  files(host, guards, main),
  mails(host),
  requests,
  images(host),
  documents(host),
  scripts(host, guards),
  timeLimits(host, guards),
  jsonQueries(host, guards, clock),
  loops(host, guards, clock),
  templates(host, guards),
  caches,
  workOfApps(host, work),
];

/** Guards every app except the main one, from its creation, whatever plugins it has enabled. */
export function guardHostedApps(supervisor: AppSupervisor, guarded: Guarded): void {
  let main: Application | null = null;
  const guards = guardsOf(guarded, () => main);
  supervisor.on('afterAppAdded', function guardApp(app: Application) {
    if (app.name === 'main') main = app;
    if (!isHosted(app)) return;
    for (const guard of guards) guard.beforeLoad?.(app);
    app.on('afterLoad', () => {
      for (const guard of guards) guard.afterLoad?.(app);
    });
  });
}
