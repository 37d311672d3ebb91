import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { APP_ADMIN, type Api, Fleet, type Instance, query, waitFor } from '../../scripts/fleet';
import { ADMIN, NODE_OPTIONS } from '../../scripts/fleet/environment';
import { PLUGIN_STORAGE } from '../../scripts/fleet/plugin';
import { FleetState } from '../../scripts/fleet/state';
import { ROOT } from '../../scripts/lib/root.mjs';
import type { AppRow, EnvironmentRow } from '../../src/shared/types';
import { ask } from '../support/http';
import { Manager, signInTo, statusIn } from '../support/manager';
import { formerReleaseEnv } from '../support/release';

/**
 * The archives of former releases (0.1.0 is commit bc85c67, 0.1.1 is ecc283c, 0.2.0 is b722999, each built by `npm pack`) on a fleet
 * that has apps in every state, secrets and operations, and then this release: the Supervisor first, then the Workers, as
 * docs/upgrading.md says. The tests follow one another.
 */

const BOTH = ['env_a', 'env_b'];
const MINUTES = 60_000;
/** Which environments each app has. */
const PLACES: Record<string, string[]> = {
  crm: ['env_a'],
  shop: BOTH,
  books: ['env_b'],
  /** Is stopped. */
  attic: ['env_a'],
  /** Starts when somebody visits it. */
  desk: ['env_b'],
  /** Never got into its database. */
  broken: ['env_b'],
  /** Is moving to env_b when the Supervisor is stopped. */
  mover: ['env_a'],
  /** Is being deleted then. */
  waste: ['env_a'],
};
/** Those that run all the time, each to be started once by each upgraded Worker that hosts it. */
const RUNNING = ['crm', 'shop', 'books'];
/** The password of a connection that was entered. */
const PASSWORD = 'entered by an operator';

/** Environment variables of this release, in place of those of the former one. */
const PRESENT = {
  NODE_OPTIONS,
  NODE_MODULES_PATH: `${ROOT}/node_modules`,
  NODE_PATH: `${ROOT}/node_modules`,
  PLUGIN_STORAGE_PATH: PLUGIN_STORAGE,
};

describe.each(['0.1.0', '0.1.1', '0.2.0'] as const)('a fleet of release %s', (release) => {
  let fleet: Fleet;
  let manager: Manager;
  const admins: Record<string, { email: string; password: string }> = {};
  const visits = new Visits();
  /** Of Workers, from where they were upgraded. */
  const logs: Array<{ file: string; from: number; environment: string }> = [];

  beforeAll(async () => {
    fleet = await Fleet.start({
      name: `former-${release}`,
      port: 'free',
      reset: true,
      durable: false,
      // Former releases know no other.
      sharedKeys: true,
      // 0.1.0 gives it to the administrators of apps, too.
      env: { ...formerReleaseEnv(release), INIT_ROOT_PASSWORD: ADMIN.password },
    });
    manager = await Manager.of(fleet);
  }, 15 * MINUTES);

  afterAll(async () => {
    await visits.end();
    await fleet?.stop();
  });

  /** Starts an instance with this release, which upgrades its main app, as `nocobase start --quickstart` does. */
  async function upgrade(instance: Instance, onStopped: () => unknown = () => {}): Promise<void> {
    await instance.stop();
    await onStopped();
    instance.saveEnv(PRESENT);
    new FleetState(fleet.home).update(({ bootedWith }) => {
      delete bootedWith[instance.database];
    });
    await instance.start();
  }

  async function begin(values: { name: string; [setting: string]: unknown }): Promise<{ id: string }> {
    const { name } = values;
    const initialAdmin = release === '0.1.0' ? {} : { initialAdmin: APP_ADMIN };
    admins[name] = release === '0.1.0' ? ADMIN : APP_ADMIN;
    const app = { title: name, environments: PLACES[name], startMode: 'withMain', ...initialAdmin, ...values };
    return (await manager.api.post('apps:create', app)).data.operation;
  }

  const create = async (values: Parameters<typeof begin>[0]) => manager.succeeded(await begin(values));

  const databases = async (...names: string[]): Promise<string[]> => {
    const sql = 'SELECT datname FROM pg_database WHERE datname = ANY($1)';
    return (await query(fleet.postgresServer, 'postgres', sql, [names])).rows.map(({ datname }) => datname);
  };

  const signIn = (name: string): Promise<Api> => signInTo(fleet.supervisor, name, admins[name]);
  const people = async (name: string): Promise<string[]> =>
    (await (await signIn(name)).get('users:list', { pageSize: 100 })).data.map((user: any) => user.username);
  const runs = (name: string) => (app: AppRow) => PLACES[name].every((place) => statusIn(app, place) === 'running');

  it('has apps with people, a secret, and operations', { timeout: 15 * MINUTES }, async () => {
    const { host, port } = fleet.postgresServer;
    await query(fleet.postgresServer, 'postgres', `CREATE ROLE keeper LOGIN PASSWORD '${PASSWORD}'`);
    await query(fleet.postgresServer, 'postgres', 'CREATE DATABASE books OWNER keeper');
    await create({ name: 'crm' });
    await create({ name: 'shop' });
    await create({
      name: 'books',
      options: {
        dbConnType: 'new_connection',
        database: { dialect: 'postgres', host, port, database: 'books', username: 'keeper', password: PASSWORD },
      },
    });
    await create({ name: 'attic' });
    await manager.command('stop', 'attic');
    await create({ name: 'desk', startMode: 'onVisit' });
    await create({ name: 'mover' });
    await create({ name: 'waste' });
    const failed = await manager.ended(
      await begin({
        name: 'broken',
        options: {
          dbConnType: 'new_connection',
          database: {
            dialect: 'postgres',
            host,
            port,
            database: 'broken',
            username: 'keeper',
            password: 'a wrong one',
          },
        },
      }),
    );
    expect(failed.state).toBe('failed');
    for (const name of [...RUNNING, 'mover']) {
      const api = await signIn(name);
      await api.post('users:create', { username: `of-${name}`, email: `of@${name}.example`, password: 'of-somebody' });
      expect(await people(name)).toContain(`of-${name}`);
    }
  });

  it('goes on while the Supervisor is upgraded: its Workers are shown as outdated and serve', {
    timeout: 10 * MINUTES,
  }, async () => {
    visits.begin(fleet.supervisor, RUNNING);
    // Neither ends before the Supervisor.
    const home = fleet.worker('env_a');
    home.pause();
    await manager.api.post('apps:update?filterByTk=mover', { environments: ['env_b'] });
    await manager.api.post('apps:destroy?filterByTk=waste', { database: 'drop' });
    await upgrade(fleet.supervisor, async () => {
      const sql = 'SELECT "appName" FROM "appOperations" WHERE "finishedAt" IS NULL ORDER BY "appName"';
      const { rows } = await query(fleet.postgresServer, fleet.supervisor.database, sql);
      home.resume();
      expect(rows.map(({ appName }) => appName)).toEqual(['mover', 'waste']);
    });
    await waitFor(() => visits.areWell(), { timeout: MINUTES, what: 'Every app answering' });
    visits.phase = 'a former Worker behind this Supervisor';
    manager = await Manager.of(fleet);
    for (const name of BOTH) {
      await manager.untilEnvironment(name, isOutdated, { what: 'is shown as outdated' });
    }
    await expect(manager.api.post('apps:create', { title: 'Late', environments: ['env_a'] })).rejects.toMatchObject({
      body: expect.stringContaining('"code":"OUTDATED"'),
    });
    // Longer than the round in which everything is compared.
    await new Promise((resolve) => setTimeout(resolve, 35_000));
    expect(visits.failures).toEqual([]);
  });

  it('has every app as it was once its Workers are upgraded, each away only with its own Worker', {
    timeout: 15 * MINUTES,
  }, async () => {
    for (const name of BOTH) {
      visits.phase = `${name} is upgraded`;
      // What a former Worker says when it ends is not signed: until it has ended, it gets requests of all its apps.
      visits.excused = Object.keys(PLACES).filter((app) => PLACES[app].includes(name));
      const worker = fleet.worker(name);
      const log = { file: worker.logFile, from: 0 };
      await upgrade(worker, () => {
        log.from = fs.statSync(log.file).size;
        visits.excused = Object.keys(PLACES).filter((app) => PLACES[app].join() === name);
      });
      await manager.untilEnvironment(name, ({ health }) => health === 'online', {
        what: 'is online',
        timeout: 2 * MINUTES,
      });
      for (const app of visits.apps.filter((each) => PLACES[each].includes(name)))
        await manager.untilApp(app, (row) => statusIn(row, name) === 'running', {
          what: `runs in ${name}`,
          timeout: 5 * MINUTES,
        });
      logs.push({ ...log, environment: name });
    }
    await waitFor(() => visits.areWell(), { timeout: MINUTES, what: 'Every app answering' });
    await visits.end();
    console.log(`measured: from ${release}: ${visits.summary()}`);
    expect(visits.failures).toEqual([]);
    for (const name of RUNNING) {
      const app = await manager.untilApp(name, runs(name), { what: 'runs', timeout: 5 * MINUTES });
      expect(app.warnings ?? []).not.toContainEqual(expect.objectContaining({ code: 'KEY_DIFFERS' }));
      expect(await people(name)).toContain(`of-${name}`);
    }
    expect(statusIn(await manager.app('attic'), 'env_a')).toBe('stopped');
    for (const { file, from, environment } of logs) {
      const started = startsIn(fs.readFileSync(file).subarray(from).toString());
      const here = (app: string) => PLACES[app].includes(environment);
      const expected = Object.fromEntries(RUNNING.filter(here).map((app) => [app, 1]));
      expect({ environment, ...started }).toMatchObject({ environment, ...expected });
      for (const app of ['attic', 'desk', 'waste']) expect(started).not.toHaveProperty(app);
      expect(started.mover ?? 0).toBeLessThanOrEqual(1);
    }
  });

  it('ends the move and the deletion that were under way, and keeps what has failed', {
    timeout: 10 * MINUTES,
  }, async () => {
    const moved = ({ environments, statuses }: AppRow) =>
      environments.join() === 'env_b' &&
      Object.keys(statuses).join() === 'env_b' &&
      statuses.env_b.status === 'running';
    await manager.untilApp('mover', moved, { what: 'runs in env_b alone', timeout: 5 * MINUTES });
    expect(await people('mover')).toContain('of-mover');
    await waitFor(async () => !(await databases('waste')).length, { timeout: 5 * MINUTES, what: 'The drop of waste' });
    await waitFor(async () => !(await manager.apps()).some(({ name }) => name === 'waste'), {
      timeout: MINUTES,
      what: 'The end of waste',
    });
    const open = async () =>
      (await manager.api.get('appOperations:list', { pageSize: 200 })).data.filter(
        ({ finishedAt }: any) => !finishedAt,
      );
    await waitFor(async () => !(await open()).length, { timeout: MINUTES, what: 'The end of all operations' });
    expect(await databases('crm', 'shop', 'books', 'attic', 'desk', 'mover')).toHaveLength(6);

    expect(statusIn(await manager.app('broken'), 'env_b')).toBe('error');
    expect(statusIn(await manager.app('desk'), 'env_b')).not.toBe('running');
    const isAwake = async () => (await ask(fleet.supervisor.url, '/api/__app/desk/users:list')).status === 401;
    await waitFor(isAwake, { timeout: MINUTES, what: 'A visit that starts desk' });
    expect(await people('desk')).toHaveLength(1);
  });

  it('keeps operations and secrets, and does everything again', { timeout: 10 * MINUTES }, async () => {
    const { data } = await manager.api.get('appOperations:list', { pageSize: 200 });
    const done = data.map(({ appName, action, state }: any) => `${action} ${appName} ${state}`);
    for (const name of [...RUNNING, 'attic', 'desk', 'mover']) expect(done).toContain(`create ${name} succeeded`);
    expect(done).toContain('create broken failed');
    expect(done).toContain('stop attic succeeded');
    await manager.command('start', 'attic');
    // Opens the password of its connection, which was sealed by the former release.
    await manager.command('restart', 'books');
    expect(await people('books')).toContain('of-books');
    await manager.update('crm', { title: 'Customers' });
    admins.late = APP_ADMIN;
    await manager.create({ name: 'late', environments: BOTH });
    expect(await people('late')).toHaveLength(1);
    await manager.destroy('shop', 'drop');
    for (const row of await manager.environments()) expect([row.health, isOutdated(row)]).toEqual(['online', false]);
  });
});

/** How often each app was started, as a Worker's log says. */
function startsIn(log: string): Record<string, number> {
  const starts: Record<string, number> = {};
  for (const [, app] of log.matchAll(/message=App (\w+): (?:start|upgrade|install|resumeInstall) /g))
    starts[app] = (starts[app] ?? 0) + 1;
  return starts;
}

const isOutdated = ({ warnings }: EnvironmentRow) => warnings.some(({ code }) => code === 'OUTDATED');

/** Visits apps through the Supervisor all the time, and notes what failed while nothing excused it. */
class Visits {
  phase = 'the Supervisor is upgraded';
  /** Apps whose only Worker is being upgraded. */
  excused: string[] = [];
  apps: string[] = [];
  readonly failures: string[] = [];
  private counts: Record<string, number> = {};
  private last: Record<string, number> = {};
  private ending = false;
  private visiting: Promise<unknown> = Promise.resolve();

  begin(supervisor: Instance, apps: string[]): void {
    this.apps = apps;
    const visit = async (app: string) => {
      while (!this.ending) {
        const wasAway = this.isAway(app);
        // A request that may be sent to another environment. The app refuses it: nobody has signed in.
        const { status } = await ask(supervisor.url, `/api/__app/${app}/users:list`).catch(() => ({ status: 0 }));
        this.last[app] = status;
        this.counts[this.phase] = (this.counts[this.phase] ?? 0) + 1;
        if (status !== 401 && !wasAway && !this.isAway(app)) this.failures.push(`${this.phase}: ${app} ${status}`);
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
    };
    this.visiting = Promise.all(apps.map(visit));
  }

  private isAway(app: string): boolean {
    return this.phase === 'the Supervisor is upgraded' || this.excused.includes(app);
  }

  areWell(): boolean {
    return this.apps.every((app) => this.last[app] === 401);
  }

  summary(): string {
    return Object.entries(this.counts)
      .map(([phase, count]) => `${count} visits while ${phase}`)
      .join(', ');
  }

  async end(): Promise<void> {
    this.ending = true;
    await this.visiting;
  }
}
