import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Api, type Fleet, query, waitFor } from '../../scripts/fleet';
import type { AppRow } from '../../src/shared/types';
import { sharedFleet } from '../setup/fleet';
import { ask, Tab } from '../support/http';
import { Manager, signInTo } from '../support/manager';

/**
 * Tokens end at their app: sessions and API keys of main apps and apps, each against each, by HTTP and by WebSocket. All
 * of them are of a user with the id 1. The tests follow one another.
 */

const DOMAIN = 'vault.example.test';
const APPS = {
  vault: { environments: ['env_a'], cname: DOMAIN },
  neighbour: { environments: ['env_b'] },
  twins: { environments: ['env_a', 'env_b'] },
};
const COPY = 'copied';

/** Where a token is sent to. */
interface Receiver {
  /** Whose tokens are valid there. */
  issuer: string;
  url: string;
  headers?: Record<string, string>;
}

let fleet: Fleet;
let manager: Manager;
let receivers: Record<string, Receiver>;
/** By issuer, then by kind; made once, and used to the end. */
const tokens: Record<string, Record<'session' | 'key', string>> = {};

const sql = async (database: string, text: string) => (await query(fleet.postgresServer, database, text)).rows;

async function begin(): Promise<void> {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await removeAll();
  await Promise.all(Object.entries(APPS).map(([name, values]) => manager.create({ name, ...values })));
  const supervisor = fleet.supervisor.url;
  const [worker_a, worker_b] = ['env_a', 'env_b'].map((name) => fleet.worker(name).url);
  const to = (issuer: string, environment?: string) => ({
    issuer,
    url: supervisor,
    headers: { 'X-App': issuer, ...(environment && { 'X-App-Environment': environment }) },
  });
  receivers = {
    main: { issuer: 'main', url: supervisor },
    worker_a: { issuer: 'worker_a', url: worker_a },
    worker_b: { issuer: 'worker_b', url: worker_b },
    vault: to('vault'),
    'vault at its domain': { issuer: 'vault', url: supervisor, headers: { Host: DOMAIN } },
    neighbour: to('neighbour'),
    'twins in env_a': to('twins', 'env_a'),
    'twins in env_b': to('twins', 'env_b'),
    'twins on a Worker': { issuer: 'twins', url: worker_a, headers: { 'X-App': 'twins' } },
  };
  const signIns: Record<string, Promise<Api>> = {
    main: fleet.supervisor.signIn(),
    worker_a: fleet.worker('env_a').signIn(),
    worker_b: fleet.worker('env_b').signIn(),
    ...Object.fromEntries(Object.keys(APPS).map((name) => [name, signInTo(fleet.supervisor, name)])),
  };
  for (const [issuer, signIn] of Object.entries(signIns)) await issue(issuer, await signIn);
}

async function removeAll() {
  await manager.clear(...Object.keys(APPS), COPY);
  await sql('postgres', `DROP DATABASE IF EXISTS ${COPY} WITH (FORCE)`);
}

async function issue(issuer: string, api: Api): Promise<void> {
  const { data } = await api.post('apiKeys:create', { name: 'key', role: { name: 'root' }, expiresIn: '1d' });
  tokens[issuer] = { session: api.token!, key: data.token };
}

const bearer = (token: string) => ({ Authorization: `Bearer ${token}`, 'X-Authenticator': 'basic' });

async function isAcceptedByHttp(token: string, { url, headers }: Receiver): Promise<boolean> {
  const { status, json } = await ask(url, '/api/auth:check', { headers: { ...headers, ...bearer(token) } });
  expect([status, json?.data?.id]).toEqual(status === 200 ? [200, 1] : [401, undefined]);
  return status === 200;
}

/** The names of the tokens that a WebSocket of the receiver accepts, of these. */
async function acceptedBySocket(sent: Record<string, string>, { issuer, url, headers }: Receiver): Promise<string[]> {
  const app = headers?.['X-App'];
  const open = async () => (await Tab.open(url, `/ws${app ? `?__appName=${app}` : ''}`, headers)) as Tab;
  const say = (tab: Tab, token: string) => tab.send({ type: 'auth:token', payload: { token, authenticator: 'basic' } });
  const count = (tab: Tab) => tab.messages.filter(({ type }) => type === 'authorized').length;
  const tabs = await Promise.all(
    Object.entries(sent).map(async ([name, token]) => ({ name, token, tab: await open() })),
  );
  for (const { tab, token } of tabs) say(tab, token);
  // A refusal is not told. What is told after it, several times, of a token that is valid, comes later.
  const control = await open();
  for (const round of [1, 2, 3]) {
    say(control, tokens[issuer].session);
    await waitFor(async () => count(control) >= round, { timeout: 30_000, what: `The word of ${issuer}` });
  }
  for (const { tab } of [...tabs, { tab: control }]) tab.close();
  return tabs.filter(({ tab }) => count(tab) > 0).map(({ name }) => name);
}

/** `session of vault by vault, by HTTP` … */
async function matrix(): Promise<string[]> {
  const all = Object.fromEntries(
    Object.entries(tokens).flatMap(([issuer, kinds]) =>
      Object.entries(kinds).map(([kind, token]) => [`${kind} of ${issuer}`, token]),
    ),
  );
  const found: string[] = [];
  for (const [by, receiver] of Object.entries(receivers)) {
    for (const [name, token] of Object.entries(all))
      if (await isAcceptedByHttp(token, receiver)) found.push(`${name} by ${by}, by HTTP`);
    for (const name of await acceptedBySocket(all, receiver)) found.push(`${name} by ${by}, by WebSocket`);
  }
  return found.sort();
}

/** NocoBase's own WebSockets take no API keys. */
const KINDS = { HTTP: ['session', 'key'], WebSocket: ['session'] };
const diagonal = () =>
  Object.entries(receivers)
    .flatMap(([by, { issuer }]) =>
      Object.entries(KINDS).flatMap(([way, kinds]) => kinds.map((kind) => `${kind} of ${issuer} by ${by}, by ${way}`)),
    )
    .sort();

const runs = (name: string) =>
  manager.untilApp(name, isRunning, { timeout: 120_000, what: 'runs in all its environments' });
const isRunning = (app: AppRow) => app.environments.every((place) => app.statuses[place]?.status === 'running');
const restartApps = async () => {
  for (const name of Object.keys(APPS)) await manager.command('restart', name);
};

export const STAGES = {
  'as they were issued': async () => undefined,
  'after the apps were restarted': restartApps,
  'after the processes were restarted': async () => {
    await Promise.all(fleet.instances.map((instance) => instance.restart()));
    await fleet.waitForWorkers();
    manager = await Manager.of(fleet);
    for (const name of Object.keys(APPS)) {
      await manager.command('start', name);
      await runs(name);
    }
  },
  'after the apps were upgraded': async () => {
    for (const name of Object.keys(APPS)) await manager.command('upgrade', name);
  },
  'after two apps changed places': async () => {
    await manager.update('vault', { environments: ['env_b'] });
    await manager.update('neighbour', { environments: ['env_a'] });
    await Promise.all(['vault', 'neighbour'].map(runs));
  },
  'after one app was restored as another': restoreAsAnother,
};

/** The copy has the same users, and knows the sessions and API keys of the original. */
async function restoreAsAnother(): Promise<void> {
  const { database } = (await manager.app('neighbour')).options.database;
  await manager.command('stop', 'neighbour');
  await sql('postgres', `CREATE DATABASE ${COPY} OWNER nocobase_worker TEMPLATE "${database}"`);
  await sql(COPY, 'DROP TABLE app_supervisor_mark');
  await manager.command('start', 'neighbour');
  await manager.adopt({ name: COPY, environments: ['env_b'], options: { database: { database: COPY } } });
  await Promise.all(['neighbour', COPY].map(runs));
  receivers.copy = { issuer: COPY, url: fleet.supervisor.url, headers: { 'X-App': COPY } };
  await issue(COPY, await signInTo(fleet.supervisor, COPY));
}

/** Called at the top of a file: the matrix, in these stages, one after the other. */
export function testTokens(stages: Array<keyof typeof STAGES>): void {
  beforeAll(begin);
  afterAll(removeAll);
  it.each(stages)(
    'invariant 12: %s: tokens of main apps and apps are accepted where they were issued, and nowhere else (v2.1.21)',
    async (stage) => {
      await STAGES[stage]();
      expect(await matrix()).toEqual(diagonal());
    },
  );
}
