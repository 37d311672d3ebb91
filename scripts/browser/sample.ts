import type { BatchRow } from '../../src/shared/batch';
import { CONTAINER_STATES, type ContainerRow } from '../../src/shared/container';
import type { DeletedAppRow } from '../../src/shared/deleted';
import { defaultsIn } from '../../src/shared/fields';
import { say, verbatim } from '../../src/shared/message';
import { NOTIFIER, type NoticeResult, type NotifierRow } from '../../src/shared/notice';
import { OPERATION } from '../../src/shared/operation';
import type { AppRow, EnvironmentRow, OperationRow, PartInfo, Status } from '../../src/shared/types';
import { type Api, ApiError, waitFor } from '../fleet';

/** What is on the pages that the states of `states.ts` and `rare-states.ts` show: apps that exist, and changed answers. */

/** The app and the environment that most states show. */
export const SAMPLE = { app: 'crm', environment: 'env_a' };

const EVERYWHERE = ['env_a', 'env_b'];

const APPS = [
  {
    name: 'crm',
    title: 'CRM',
    environments: EVERYWHERE,
    targetEnvironment: 'env_b',
    cname: 'crm.example.com',
    labels: ['customer:acme', 'trial'],
  },
  {
    name: 'orders',
    title: 'Orders and deliveries',
    environments: ['env_a'],
    startMode: 'withMain',
    pinned: true,
    labels: ['customer:acme'],
  },
  { name: 'archive', title: '档案', environments: EVERYWHERE },
  {
    name: 'billing',
    title: 'Billing',
    environments: ['env_b'],
    options: {
      dbConnType: 'new_connection',
      database: {
        dialect: 'postgres',
        host: '127.0.0.1',
        port: 1,
        username: 'billing',
        password: '-',
        database: 'billing',
      },
    },
  },
];

export const SAMPLE_APPS = APPS.map(({ name }) => name);
export const SAMPLE_TITLES = APPS.map(({ title }) => title);
export const SAMPLE_LABELS = APPS.flatMap(({ labels = [] }) => labels);

/**
 * Creates the apps that do not exist, in the environments `env_a` and `env_b`, and waits for all operations. Afterwards
 * `crm` and `orders` run or start when visited, `archive` is stopped, and `billing` has failed.
 */
export async function createSampleApps(api: Api): Promise<void> {
  for (const app of APPS) {
    // What has no database is refused as a new app.
    await api.post(app.options ? 'apps:adopt' : 'apps:create', app).catch((error) => {
      if (!(error instanceof ApiError && error.body.includes('NAME_TAKEN'))) throw error;
    });
  }
  await allOperationsEnded(api);
  await api.post('apps:stop?filterByTk=archive');
}

/** Names and titles of deleted apps. */
export const DELETED_APPS = [
  ['leaving', '档案 2'],
  ['legacy', 'Legacy CRM'],
] as const;

/** One that can be restored soon, and one that can be now. */
export const deletedApps = (): DeletedAppRow[] => {
  const app = (name: string, title: string, until: number | null): DeletedAppRow => ({
    ...{ uid: name, name, title, icon: null, labels: ['customer:acme'], environments: ['env_a'], cname: null },
    ...{ deletedAt: Date.now() - 7_200_000, until },
  });
  const [leaving, legacy] = DELETED_APPS;
  return [app(...leaving, null), app(...legacy, Date.now() + 29 * 86_400_000)];
};

/** Batches in every state. */
export const batchesOf = (): BatchRow[] => {
  const apps = ['billing', 'archive'].map((name) => ({ name, title: name === 'billing' ? 'Billing' : '档案' }));
  const batch = (values: Partial<BatchRow>): BatchRow => ({
    ...{ id: 'b1', action: 'restart', environment: null, createdBy: '1', createdAt: Date.now() - 20_000 },
    ...{ total: 32, done: 12, underWay: 20, failed: 0, cancelled: 0, failures: [], isOver: false },
    ...values,
  });
  const silent = { code: 'DATABASE_UNREACHABLE', params: { server: '10.0.4.17:5432', cause: 'connect ETIMEDOUT' } };
  return [
    batch({}),
    batch({
      id: 'b2',
      action: 'upgrade',
      createdAt: Date.now() - 300_000,
      ...{ done: 29, underWay: 0, failed: 3, isOver: true },
      failures: [
        { cause: silent, apps },
        { cause: say('BATCH_INTERRUPTED'), apps: [{ name: 'orders', title: 'Orders and deliveries' }] },
      ],
    }),
    batch({ id: 'b3', action: 'label', createdAt: Date.now() - 600_000, total: 3, done: 3, underWay: 0, isOver: true }),
  ];
};

export const allOperationsEnded = (api: Api) =>
  waitFor(
    async () => (await api.get('apps:list')).data.every(({ operation }: { operation: unknown }) => operation === null),
    { timeout: 180_000, interval: 500, what: 'The end of all operations' },
  );

/** What NocoBase's core reports while an app starts; it has no translation. */
export const CORE_PROGRESS = 'load locale resource';

/** How the app in this status is called: no word of a language. */
export const nameIn = (status: Status) => `app_${status}`;

/** An app like this one that has this status and its name. */
export function inStatus(app: AppRow, status: Status): AppRow {
  const [environment] = app.environments;
  const shown = {
    ...app.statuses[environment],
    status,
    ...(status === 'commanding' && { message: verbatim(CORE_PROGRESS) }),
  };
  return {
    ...app,
    name: nameIn(status),
    title: nameIn(status),
    desiredState: 'onDemand',
    environments: [environment],
    statuses: { [environment]: shown },
    operation: status === 'commanding' ? COMMANDING : null,
  };
}

/** One environment in each kind of trouble, made from the first row. */
export const inTrouble = (rows: EnvironmentRow[]): EnvironmentRow[] => {
  const [row] = rows;
  const like = (name: string, change: Partial<EnvironmentRow>) => ({ ...row, name, ...change });
  const since = row.since && row.since - 3_600_000;
  return [
    like('env_a', {
      cordoned: true,
      appVersion: '2.2.0',
      proxyUrl: 'http://worker_a',
      unconfirmedProxyUrl: 'http://10.0.0.7:13000',
      warnings: [
        say('PROXY_ADDRESS_CHANGED', {
          environment: 'env_a',
          address: 'http://10.0.0.7:13000',
          former: 'http://worker_a',
        }),
      ],
    }),
    like('env_b', {
      health: 'down',
      available: false,
      since,
      lastHeartbeatAt: since,
      memory: null,
      eventLoopDelay: null,
    }),
    like('env_c', {
      health: 'suspect',
      warnings: [say('SECOND_PROCESS', { standby: 'worker-2:81' })],
    }),
    like('env_jobs', { health: 'unknown', serves: false, apps: {} }),
  ];
};

/** The environment on its page, without its Worker. */
export const downOf = (row: EnvironmentRow): EnvironmentRow => ({
  ...row,
  health: 'down',
  available: false,
  since: Date.now() - 3_600_000,
  lastHeartbeatAt: Date.now() - 3_600_000,
  memory: null,
  eventLoopDelay: null,
  warnings: [say('SECOND_PROCESS', { standby: 'worker-2:81' })],
});

/** What `appSupervisor:info` answers outside of a Supervisor. */
export const OTHER_PARTS: Record<'worker' | 'dormant', PartInfo> = {
  worker: {
    part: 'worker',
    warnings: [],
    environment: 'env_a',
    supervisor: { publicUrl: 'https://apps.example.com', instance: 'supervisor:7' },
    apps: [
      { name: 'crm', title: 'CRM', status: 'running', since: Date.now() - 3_600_000, version: '2.2.15' },
      {
        name: 'orders',
        title: 'Orders and deliveries',
        status: 'dormant',
        since: Date.now() - 3_600_000,
        version: '2.2.15',
      },
    ],
  },
  dormant: { part: 'dormant', environment: null, warnings: [] },
};

const ENDS = {
  died: say('CONTAINER_EXIT', { code: 1, lines: '' }),
  restarting: say('CONTAINER_OUT_OF_MEMORY', { code: 137, lines: '' }),
};

/** Containers in every state. */
export const containersIn = (): ContainerRow[] =>
  CONTAINER_STATES.map((status, index) => {
    const isOver = status === 'restarting' || status === 'died';
    return {
      environment: `env_${'abcdef'[index]}`,
      name: `worker-env-${'abcdef'[index]}`,
      image: 'nocobase-app-supervisor',
      isOutdated: status === 'unhealthy',
      status,
      since: Date.now() - 60_000 * (index + 1),
      cause: isOver ? ENDS[status] : null,
      lastLines: isOver ? ['level=info msg=app.starting', 'FATAL ERROR: Reached heap limit'] : [],
      restarts: isOver ? 3 : 0,
      memory: status === 'stopped' ? null : 2 ** 31,
      cpus: status === 'stopped' ? null : 1.5,
    };
  });

/** The error of an answer about containers. */
export const ENGINE_SILENT = { code: 'ENGINE_FAILED', params: { cause: 'connect ECONNREFUSED' } };

/** Of an app whose domain no door has a certificate for. */
export const UNCERTIFIED = [say('DOMAIN_UNCERTIFIED', { app: 'crm', domain: 'crm.example.com' })];

/** Settings of an app that take effect when it restarts. */
export const PENDING = ['jwtSecret', 'options.database', 'plugins'];

const COMMANDING: OperationRow = {
  ...defaultsIn(OPERATION, 'row'),
  id: '1',
  generation: 1,
  appName: nameIn('commanding'),
  action: 'restart',
  state: 'running',
  waitingFor: say('WAITS_FOR_BEGIN', { environment: 'env_a' }),
  progress: ['env_a', 'env_b'].map((environment) => ({ environment, of: 'boot', state: 'running' })),
  createdAt: 0,
};

/** An operation that has ended in one environment and goes on in another. */
export const UNDER_WAY: OperationRow = {
  ...COMMANDING,
  progress: [
    {
      environment: 'env_a',
      of: 'boot',
      state: 'succeeded',
      startedAt: Date.now() - 12_000,
      finishedAt: Date.now() - 4_000,
    },
    {
      environment: 'env_b',
      of: 'boot',
      state: 'running',
      startedAt: Date.now() - 3_000,
      message: verbatim(CORE_PROGRESS),
    },
  ],
  waitingFor: null,
  createdAt: Date.now() - 12_000,
};

const WEBHOOK_DOWN = say('WEBHOOK_FAILED', { cause: 'connect ECONNREFUSED 10.0.0.9:443' });
const notifier = (values: Partial<NotifierRow>): NotifierRow => ({
  ...defaultsIn(NOTIFIER, 'row'),
  id: 'channel',
  enabled: true,
  kinds: ['environmentDown', 'appFailing', 'nearLimit'],
  hasSecret: false,
  ...values,
});

/** The answer about notifiers of which one is well and one is not. */
export const NOTIFIERS = {
  data: [
    notifier({ channel: 'operations', receivers: ['1'], deliveredAt: Date.now() - 240_000 }),
    notifier({
      id: 'webhook',
      url: 'https://alerts.example.com/hooks/nocobase',
      hasSecret: true,
      failingSince: Date.now() - 900_000,
      nextAt: Date.now() + 1_500_000,
      error: WEBHOOK_DOWN,
    }),
  ],
  meta: { channels: [{ name: 'operations', title: 'Operations', type: 'in-app-message' }], missing: null },
};
export const TEST_RESULT: NoticeResult = { ok: false, status: null, error: WEBHOOK_DOWN };
