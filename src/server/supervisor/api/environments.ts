import { say } from '../../../shared/message';
import { AppSupervisorError } from '../../errors';
import { checkReach } from '../fleet/reachability';
import { type ActionContext, type Answer, target } from './action';

export async function list({ supervisor }: ActionContext): Promise<Answer> {
  return { data: supervisor.parts.view.environmentRows() };
}

export const cordon =
  (cordoned: boolean) =>
  async ({ supervisor, params, userId }: ActionContext): Promise<Answer> => {
    const name = target(params);
    await supervisor.parts.environmentCache.setCordoned(name, cordoned);
    await supervisor.parts.journal.ofEnvironment(name, cordoned ? 'cordon' : 'uncordon', userId);
    return { data: supervisor.parts.view.environmentRows().find((row) => row.name === name) };
  };

/** Accepts no new apps, and stops the environment's apps, one after the other. */
export async function drain({ supervisor, params, userId }: ActionContext): Promise<Answer> {
  const name = target(params);
  await supervisor.parts.environmentCache.setCordoned(name, true);
  await supervisor.parts.journal.ofEnvironment(name, 'drain', userId);
  const apps = supervisor.apps().filter((app) => app.environments.includes(name) && app.desired === 'running');
  const operations = [];
  for (const app of apps) {
    operations.push(
      supervisor.parts.view.operationRow(
        await supervisor.parts.service.command(app.name, 'stop', userId, { environments: [name] }),
      ),
    );
  }
  return { data: supervisor.parts.view.environmentRows().find((row) => row.name === name), meta: { operations } };
}

/** The environment will not come back: nothing waits for it any more. */
export async function forget({ supervisor, params, userId }: ActionContext): Promise<Answer> {
  const name = target(params);
  await supervisor.forget(name);
  await supervisor.parts.journal.ofEnvironment(name, 'forget', userId);
  return { data: { name } };
}

/** Whether this Supervisor reaches the proxy address, for HTTP and WebSockets separately. */
export async function check({ supervisor, params }: ActionContext): Promise<Answer> {
  const name = target(params);
  const row = supervisor.parts.view.environmentRows().find((environment) => environment.name === name);
  if (!row) throw new AppSupervisorError('UNKNOWN_ENVIRONMENT', { environment: name });
  // In shared memory there is no network between them.
  const here = { ok: true, message: say('REACH_THIS_PROCESS') };
  return { data: row.proxyUrl ? await checkReach(row.proxyUrl, supervisor.wsPath) : { web: here, ws: here } };
}

/** Of its Worker's main app. Only this answer contains the new password. */
export async function resetAdmin({ supervisor, params, userId }: ActionContext): Promise<Answer> {
  return { data: await supervisor.parts.administrators.ofEnvironment(target(params), userId) };
}
