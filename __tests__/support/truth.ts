import { type Fleet, waitFor } from '../../scripts/fleet';
import { inEnglish } from '../../src/server/errors';
import type { Message } from '../../src/shared/message';
import type { AppRow } from '../../src/shared/types';
import { ask } from './http';
import { type Manager, statusIn } from './manager';
import { stopwatch } from './measure';

/** After an outage everything is true again within this long, in ms. */
const WITHIN = 30_000;

/**
 * Waits until everything that is shown is true: every environment is online, each of these apps is called running where its
 * Worker itself answers for it and nowhere else, and no operation waits for anything. What had to wait may still go on.
 *
 * @param apps that are running, or about to: asked, a dormant one would wake
 * @param after what has just ended, to be called at that very moment
 * @throws when that takes longer than 30 s
 */
export async function allIsTrueAgain(fleet: Fleet, manager: Manager, apps: string[], after: string): Promise<void> {
  const took = stopwatch();
  let wrong: string[] = [];
  await waitFor(
    async () => {
      wrong = await lies(fleet, manager, apps);
      return !wrong.length;
    },
    { timeout: WITHIN, interval: 200, what: 'Everything being shown as it is' },
  ).catch((error: Error) => {
    throw new Error(`${error.message}\n${wrong.join('\n')}`);
  });
  const time = took(`${after}, until everything is true again`);
  if (time > WITHIN) throw new Error(`${after}: everything was true again only after ${time} ms.`);
}

/** What is shown and not so, in words. */
async function lies(fleet: Fleet, manager: Manager, names: string[]): Promise<string[]> {
  const [environments, rows, operations] = await Promise.all([
    manager.environments(),
    manager.apps(),
    manager.api.get('appOperations:list', { filter: { state: { $in: ['queued', 'running'] } }, pageSize: 200 }),
  ]);
  const apps = rows.filter(({ name }) => names.includes(name));
  const shown = apps.flatMap((app) => app.environments.map((environment) => ({ app, environment })));
  const told = await Promise.all(shown.map(({ app, environment }) => contradiction(fleet, app, environment)));
  return [
    ...environments.filter(({ health }) => health !== 'online').map(({ name, health }) => `${name} is ${health}`),
    ...names.filter((name) => !apps.some((app) => app.name === name)).map((name) => `${name} is not listed`),
    ...told.filter((text) => text !== null),
    ...operations.data
      .filter(({ waitingFor }: { waitingFor: Message | null }) => waitingFor !== null)
      .map(({ action, appName, waitingFor }: any) => `${action} of ${appName} waits for ${inEnglish(waitingFor)}`),
  ];
}

async function contradiction(fleet: Fleet, app: AppRow, environment: string): Promise<string | null> {
  const status = statusIn(app, environment);
  const { url } = fleet.worker(environment);
  const answer = await ask(url, `/api/__app/${app.name}/app:getInfo`, { timeout: 5_000 }).catch(() => null);
  if ((answer?.status === 200) === (status === 'running') && status !== 'unknown') return null;
  return `${app.name} is called ${status} in ${environment}, which answers ${answer?.status ?? 'nothing'}`;
}
