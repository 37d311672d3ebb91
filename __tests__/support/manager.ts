import { APP_ADMIN, Api, ApiError, type Fleet, type Instance, waitFor } from '../../scripts/fleet';
import type { AppRow, EnvironmentRow, OperationRow } from '../../src/shared/types';

/** An app's first start installs some eighty plugins. */
const INSTALL = 200_000;
const SOON = 60_000;

interface Wait {
  timeout?: number;
  /** What is waited for, in words. */
  what: string;
}

/** The API that manages apps, as tests use it: every wait has a deadline and says what did not come. */
export class Manager {
  constructor(readonly api: Api) {}

  /** @param instance by default the fleet's Supervisor, or its one instance in shared memory. */
  static async of(fleet: Fleet, instance: Instance = fleet.supervisor): Promise<Manager> {
    return new Manager(await instance.signIn());
  }

  async apps(params: Record<string, unknown> = {}): Promise<AppRow[]> {
    return (await this.api.get('apps:list', { pageSize: 200, ...params })).data;
  }

  async app(name: string): Promise<AppRow> {
    return (await this.api.get('apps:get', { filterByTk: name })).data;
  }

  async environments(): Promise<EnvironmentRow[]> {
    return (await this.api.get('appEnvironments:list')).data;
  }

  async environment(name: string): Promise<EnvironmentRow> {
    const found = await this.listed(name);
    if (!found) throw new Error(`No environment ${name} is listed.`);
    return found;
  }

  private async listed(name: string): Promise<EnvironmentRow | undefined> {
    return (await this.environments()).find((row) => row.name === name);
  }

  async operation(id: string): Promise<OperationRow> {
    return (await this.api.get('appOperations:get', { filterByTk: id })).data;
  }

  /** Asks for a new app, and leaves it to its operation. */
  async begin(action: 'create' | 'adopt', values: { name?: string; [setting: string]: unknown }): Promise<AppRow> {
    const initialAdmin = action === 'create' ? APP_ADMIN : undefined;
    return (await this.api.post(`apps:${action}`, { title: values.name, initialAdmin, ...values })).data;
  }

  /** @returns the app as it is once all its environments have it. */
  async create(values: { name: string; [setting: string]: unknown }): Promise<AppRow> {
    const { operation } = await this.begin('create', values);
    await this.succeeded(operation!);
    return this.app(values.name);
  }

  async adopt(values: { name: string; [setting: string]: unknown }): Promise<AppRow> {
    const { operation } = await this.begin('adopt', values);
    await this.succeeded(operation!);
    return this.app(values.name);
  }

  /** @returns the app as it is once the change has reached all its environments. */
  async update(name: string, values: Record<string, unknown>): Promise<AppRow> {
    const { data } = await this.api.post(`apps:update?filterByTk=${name}`, values);
    await this.succeeded(data.operation);
    return this.app(name);
  }

  /** @returns the operation at its end. */
  async command(action: 'start' | 'stop' | 'restart' | 'upgrade', name: string): Promise<OperationRow> {
    const { data } = await this.api.post(`apps:${action}?filterByTk=${name}`);
    return this.succeeded(data[0]);
  }

  async destroy(name: string, database: 'keep' | 'drop'): Promise<OperationRow> {
    const { data } = await this.api.post(`apps:destroy?filterByTk=${name}`, { database });
    return this.succeeded(data[0]);
  }

  /** Leaves nothing of these apps, whichever of them there are; of a broken one, its database. */
  async clear(...names: string[]): Promise<void> {
    const there = new Set((await this.apps()).map(({ name }) => name));
    const drop = async (name: string) => {
      const { data } = await this.api.post(`apps:destroy?filterByTk=${name}`, { database: 'drop' });
      await this.ended(data[0]);
    };
    await Promise.all(names.filter((name) => there.has(name)).map(drop));
  }

  async ended({ id }: { id: string }, timeout = INSTALL): Promise<OperationRow> {
    const ask = async () => {
      const operation = await this.operation(id);
      return operation.finishedAt === null ? null : operation;
    };
    return waitFor(ask, { timeout, interval: 150, what: `The end of operation ${id}` });
  }

  /** @throws with its steps when it ended otherwise. */
  async succeeded(asked: { id: string }, timeout?: number): Promise<OperationRow> {
    const operation = await this.ended(asked, timeout);
    if (operation.state !== 'succeeded') throw new Error(`It ended ${JSON.stringify(operation, null, 2)}`);
    return operation;
  }

  untilApp(name: string, wanted: (app: AppRow) => boolean, { timeout = SOON, what }: Wait): Promise<AppRow> {
    return until(() => this.app(name), wanted, { timeout, what: `App ${name} ${what}` });
  }

  /** As an operator whose Worker is reached at another address than variables of the Supervisor name. */
  async confirmAddress(name: string, address: string): Promise<void> {
    const isAsked = (row: EnvironmentRow) => [row.unconfirmedProxyUrl, row.proxyUrl].includes(address);
    const { proxyUrl } = await this.untilEnvironment(name, isAsked, { what: `says that it is at ${address}` });
    if (proxyUrl !== address) await this.api.post(`appEnvironments:admit?filterByTk=${name}`, { address });
  }

  async untilEnvironment(
    name: string,
    wanted: (environment: EnvironmentRow) => boolean,
    { timeout = SOON, what }: Wait,
  ): Promise<EnvironmentRow> {
    const ask = () => this.listed(name);
    const found = await until(ask, (row) => row !== undefined && wanted(row), {
      timeout,
      what: `Environment ${name} ${what}`,
    });
    return found!;
  }
}

/**
 * Signs in to an app through an instance; waits while the app says that a command of it goes on.
 * @param user by default the administrator of an app that `Manager` has created
 */
export const signInTo = (
  instance: Pick<Instance, 'url'>,
  app: string,
  user: { email: string; password: string } = APP_ADMIN,
): Promise<Api> => afterCommands(app, () => Api.signIn(instance.url, user, app));

/**
 * Changes the password of who is signed in.
 * @param signIn with the new one
 * @returns signed in with it: NocoBase refuses a token from the second in which the password was changed
 */
export async function changePassword(user: Api, password: string, signIn: () => Promise<Api>): Promise<Api> {
  const { data } = await user.get('auth:check');
  await user.post(`users:update?filterByTk=${data.id}`, { password });
  const signInAnew = async () => {
    const api = await signIn();
    return api.get('auth:check').then(
      () => api,
      () => null,
    );
  };
  return waitFor(signInAnew, { timeout: 10_000, what: 'A sign-in with the new password' });
}

/** Asks an app once no command of it goes on. */
export const afterCommands = <T>(app: string, ask: () => Promise<T>): Promise<NonNullable<T>> =>
  waitFor(
    () =>
      ask().catch((error) => {
        if (error instanceof ApiError && error.status === 503 && error.body.includes('"APP_COMMANDING"')) return null;
        throw error;
      }),
    { timeout: 120_000, interval: 200, what: `The end of what app ${app} is doing` },
  );

export const statusIn = (app: AppRow, environment: string): string | undefined => app.statuses[environment]?.status;

/** Asks until the answer is as wanted; a failure shows the last one. */
async function until<T>(
  ask: () => Promise<T>,
  wanted: (found: T) => boolean,
  { timeout, what }: Required<Wait>,
): Promise<T> {
  let last: T | undefined;
  const probe = async () => {
    last = await ask();
    return wanted(last) ? { found: last } : null;
  };
  try {
    return (await waitFor(probe, { timeout, interval: 100, what })).found;
  } catch (error) {
    throw new Error(`${(error as Error).message}\nLast seen: ${JSON.stringify(last, null, 2)}`);
  }
}
