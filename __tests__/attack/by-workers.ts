import { setTimeout as sleep } from 'node:timers/promises';
import jwt from 'jsonwebtoken';
import { waitFor } from '../../scripts/fleet';
import { WELL_KNOWN_APP_KEYS } from '../../src/server/config';
import { COMMAND_METHOD } from '../../src/server/supervisor/requests/commands';
import type { AppRecord, StatusEntry } from '../../src/shared/messages';
import type { SimulatedWorker } from '../support/simulated-worker';
import type { Attack } from './attacks';
import { EVIL, EXPECTED, Insider } from './insider';
import { bearer, type Stage } from './stage';

/** What is tried by a Worker: with the key of its environment and nothing else, and with whatever Workers know. */

/** Whatever is reported is answered within this time, in ms. */
const ANSWERED_WITHIN = 1_500;

/** What a record tells that only those may know with whom an operation has placed the app. */
function secretsIn(record: AppRecord): string[] {
  const { jwtSecret, initialAdmin, database, uploads } = record;
  const secrets = { jwtSecret, initialAdmin, password: database.password, uploads };
  const told = Object.entries(secrets).flatMap(([name, value]) => (value ? name : []));
  return JSON.stringify(record).includes('bound:') && !told.length ? ['something sealed'] : told;
}

/** Reports that an app of another environment is its own, in several ways. @returns what it was told */
async function reportsOthers(stage: Stage, worker: SimulatedWorker): Promise<string[]> {
  // As in the index of apps, which every Worker reads.
  const { uid } = await stage.manager.app('bystander');
  const found: string[] = [];
  const lies: Partial<StatusEntry>[] = [
    { status: 'running' },
    { status: 'error', version: null },
    { status: 'waiting', bootGeneration: 0 },
    { status: 'not_found' },
  ];
  for (const lie of lies) {
    const generation = Date.now();
    await worker.report({ name: 'bystander', uid, generation, boot: { generation } } as AppRecord, lie);
    worker.announce?.();
    await sleep(ANSWERED_WITHIN);
    const record = await worker.record('bystander');
    if (record.desired !== 'removed') found.push(`it is to host the app (${record.desired})`);
    found.push(...secretsIn(record).map((what) => `it is told ${what} after ${lie.status}`));
  }
  return found;
}

/** What its own user of Redis may not do. */
const READ = ['records:env_a', 'registration:env_a', 'holder:env_a', 'term'];
const WRITTEN = [
  'records:env_a',
  'records:env_evil',
  'lease:env_a',
  'statuses:env_a',
  'registration:env_a',
  'apps',
  'fleet',
  'term',
];

async function entersRedis({ redis }: Insider, stage: Stage): Promise<string[]> {
  const tries: Array<[string, ...string[]]> = [
    ...READ.flatMap(
      (key): Array<[string, string]> => [
        ['GET', stage.key(key)],
        ['HGETALL', stage.key(key)],
      ],
    ),
    ...WRITTEN.flatMap(
      (key): Array<[string, ...string[]]> => [
        ['SET', stage.key(key), 'x'],
        ['DEL', stage.key(key)],
        ['HSET', stage.key(key), 'target', 'x'],
      ],
    ),
    ['EVAL', `return redis.call('del', KEYS[1])`, '1', stage.key('records', 'env_a')],
    ['EVAL', `return redis.call('del', '${stage.key('records', 'env_a')}')`, '0'],
    ['KEYS', '*'],
    ['SCAN', '0'],
    ['FLUSHALL'],
    ['CONFIG', 'GET', '*'],
    ['ACL', 'LIST'],
    ['MONITOR'],
    ['PSUBSCRIBE', '*'],
    ['SUBSCRIBE', stage.key('wake', 'definitions')],
  ];
  const found: string[] = [];
  for (const [command, ...words] of tries) {
    const said = await redis.call(command, ...words).then(
      () => 'done',
      (error) => String(error.message),
    );
    if (!/NOPERM|No permission|can't access/i.test(said))
      found.push(`${command} ${words.join(' ')}: ${said.slice(0, 80)}`);
  }
  return found;
}

/** Codes of what was refused, for a question to another process. */
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error) => (error.params?.cause ?? error).code ?? String(error),
  );

/** With all of Redis, and its own key in the place of others. */
async function pretends(insider: Insider, stage: Stage): Promise<string[]> {
  const url = stage.fleet.redisUrl!;
  const { bus, stores } = insider.speak('env_a', url);
  const found: string[] = [];
  const hash = 'ab'.repeat(32);
  const { uid } = await stage.manager.app('target');
  for (const [method, payload] of Object.entries({
    resetAdmin: { name: 'target', uid, hash },
    logs: { name: 'target', lines: 10 },
    checkDatabase: { name: 'x', database: { dbConnType: 'new_database' } },
  })) {
    const code = await codeOf(bus.request('env_a', method, payload, ANSWERED_WITHIN));
    if (code !== 'WORKER_SILENT') found.push(`env_a answers ${method}: ${code}`);
  }
  const stop = { requestId: 'x', appName: 'target', action: 'stop', environments: [] };
  const code = await codeOf(bus.ask('env_a', COMMAND_METHOD, stop, ANSWERED_WITHIN));
  if (code !== 'SUPERVISOR_SILENT') found.push(`a command of env_a is answered: ${code}`);
  const evil = `http://127.0.0.1:${stage.sinkPort}`;
  // The Worker itself writes all of it again, from the next beat on.
  for (const name of ['lease', 'holder', 'standby']) await stage.redis.del(stage.key(name, 'env_a'));
  const place = insider.worker({ bus, stores, close: async () => undefined }, 'env_a');
  // The Worker may be there again before.
  await place.appear({ url: evil, proxyUrl: evil }).catch(() => undefined);
  await sleep(ANSWERED_WITHIN);
  await stage.ask('/api/__app/target/app:getInfo');
  return [...found, ...stage.arrived.splice(0).map(() => 'visitors are sent to the attacker')];
}

/** What it may dispatch: nothing that is of others. */
async function dispatches({ bus }: Pick<ReturnType<Insider['speak']>, 'bus'>): Promise<string[]> {
  const found: string[] = [];
  for (const [action, appName, environments] of [
    ['stop', 'bystander', []],
    ['stop', 'bystander', ['env_a']],
    ['restart', 'bystander', [EVIL, 'env_a']],
    ['start', 'bystander', [EVIL]],
    ['upgrade', 'bystander', []],
    ['remove', 'bystander', [EVIL]],
    ['create', 'thief', [EVIL]],
  ] as const) {
    const code = await codeOf(bus.ask(EVIL, COMMAND_METHOD, { requestId: 'x', appName, action, environments }, 5_000));
    if (code !== 'COMMAND_ELSEWHERE') found.push(`${action} ${appName} ${environments}: ${code}`);
  }
  return found;
}

/** Where a Worker says that visitors find it, whatever was said when it was added. */
async function isReachedWhereItLikes(insider: Insider, stage: Stage): Promise<string[]> {
  const { manager } = stage;
  const sink = `http://127.0.0.1:${stage.sinkPort}`;
  const worker = insider.worker(insider.speak());
  const { appVersion } = await manager.environment('env_a');
  const appear = (values: object) => worker.appear({ ...insider.registration, appVersion, ...values });
  await appear({});
  await manager.untilEnvironment(EVIL, ({ health }) => health === 'online', { what: 'online' });
  await manager.begin('create', { name: 'thief', environments: [EVIL] });
  await worker.report(await worker.record('thief'), { status: 'running' });
  await manager.untilApp('thief', ({ statuses }) => statuses[EVIL]?.status === 'running', { what: 'is running' });
  const visit = async () => {
    await stage.ask('/api/__app/thief/latest/meta-data/').catch(() => undefined);
    return stage.arrived.splice(0).length > 0;
  };
  const found: string[] = [];
  for (const proxyUrl of [sink, sink.replace('127.0.0.1', 'localhost'), stage.url, 'http://169.254.169.254/']) {
    await appear({ proxyUrl });
    const row = await manager.untilEnvironment(EVIL, (one) => one.unconfirmedProxyUrl !== null, { what: 'asks' });
    if (row.proxyUrl !== EXPECTED) found.push(`visitors are sent to ${row.proxyUrl}`);
    if (await visit()) found.push(`visitors arrive at ${proxyUrl}`);
  }
  for (const address of ['javascript:alert(1)', 'file:///etc/passwd', 'data:text/html,x']) {
    // What is no address is not registered at all.
    await appear({ url: address, proxyUrl: address }).catch(() => undefined);
    await sleep(ANSWERED_WITHIN);
    const { url, proxyUrl, unconfirmedProxyUrl } = await manager.environment(EVIL);
    const shown = [url, proxyUrl, unconfirmedProxyUrl].filter((one) => one && !/^https?:/.test(one));
    found.push(...shown.map((one) => `the page links to ${one}`));
  }
  await appear({ proxyUrl: sink });
  await manager.confirmAddress(EVIL, sink);
  const arrives = waitFor(visit, { timeout: 10_000, what: 'A visitor where somebody has confirmed it' });
  await arrives.catch((error) => found.push(String(error)));
  return found;
}

/** Sessions that are signed with what Workers know, with what everybody knows, and with the Supervisor's own APP_KEY. */
async function signs(insider: Insider, stage: Stage): Promise<string[]> {
  const { fleet } = stage;
  const processes = [insider.variables, ...fleet.instances.map(({ env }) => env)];
  const secrets = processes.flatMap((env) =>
    Object.entries(env).flatMap(([name, value]) => (/(KEY|PASSWORD|_REDIS_URL)$/.test(name) && value ? value : [])),
  );
  const hex = secrets.filter((secret) => /^[0-9a-f]{64}$/.test(secret)).map((secret) => Buffer.from(secret, 'hex'));
  const keys = new Set<string | Buffer>([...secrets, ...hex, ...[...WELL_KNOWN_APP_KEYS].filter(Boolean)]);
  const places: Array<[string, string, Record<string, string>]> = [
    ...fleet.instances.map(({ name, url }): [string, string, Record<string, string>] => [name, url, {}]),
    ['target', stage.url, { 'X-App': 'target' }],
    ['target at its Worker', fleet.worker('env_a').url, { 'X-App': 'target' }],
  ];
  const found: string[] = [];
  for (const key of keys) {
    const token = jwt.sign({ userId: 1, roleName: 'root', temp: false }, key);
    for (const [place, url, headers] of places) {
      const init = { headers: { ...headers, ...bearer(token) } };
      const statuses = await Promise.all(
        ['users:list', 'apps:list', 'auth:check'].map(
          async (action) => (await fetch(`${url}/api/${action}`, init)).status,
        ),
      );
      if (statuses.includes(200)) found.push(`${place} believes what is signed with ${String(key).slice(0, 6)}…`);
    }
  }
  return found;
}

export const byWorkers: Attack[] = [
  {
    finding: 'G1',
    title: 'secrets of an app elsewhere, by a Worker with its own key that reports the app',
    run: (stage) =>
      Insider.use(stage, async (insider) => {
        const worker = insider.worker(insider.speak());
        await worker.appear(insider.registration);
        return reportsOthers(stage, worker);
      }),
  },
  {
    finding: 'G2',
    title: 'records, leases, messages and commands of others, by a Worker with its own key, and all of Redis',
    run: (stage) =>
      Insider.use(stage, async (insider) => {
        const speaker = insider.speak();
        await insider.worker(speaker).appear(insider.registration);
        await stage.manager.untilEnvironment(EVIL, ({ health }) => health === 'online', { what: 'online' });
        return [
          ...(await entersRedis(insider, stage)),
          ...(await dispatches(speaker)),
          ...(await pretends(insider, stage)),
        ];
      }),
  },
  {
    finding: 'G3',
    title: 'visitors, at an address that a Worker alone has named',
    run: (stage) => Insider.use(stage, (insider) => isReachedWhereItLikes(insider, stage)),
  },
  {
    finding: 'G4',
    title: 'sessions of main apps and apps, signed with the keys of Workers, with the default ones and with APP_KEY',
    run: (stage) => Insider.use(stage, (insider) => signs(insider, stage)),
  },
  {
    finding: 'G5',
    title: 'a Worker whose environment was forgotten, with the key that it had',
    run: (stage) =>
      Insider.use(stage, async (insider) => {
        const { manager } = stage;
        const worker = insider.worker(insider.speak());
        await worker.appear(insider.registration);
        await manager.untilEnvironment(EVIL, ({ health }) => health === 'online', { what: 'online' });
        await worker.leave();
        await manager.untilEnvironment(EVIL, ({ health }) => health === 'down', { what: 'down' });
        await manager.api.post(`appEnvironments:forget?filterByTk=${EVIL}`);
        const back = insider.worker(insider.speak());
        await back.appear(insider.registration);
        await sleep(ANSWERED_WITHIN);
        const isListed = (await manager.environments()).some(({ name }) => name === EVIL);
        const found = isListed ? ['it is an environment again'] : [];
        // Somebody adds an environment of that name.
        const { data } = await manager.api.post('appEnvironments:join', { name: EVIL, url: EXPECTED });
        const isGivenAgain = JSON.stringify(data).includes(insider.variables.APP_SUPERVISOR_ENVIRONMENT_KEY);
        return isGivenAgain ? [...found, 'the next Worker of that name gets the same key'] : found;
      }),
  },
];
