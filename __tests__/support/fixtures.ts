import { NO_ROUTES } from '../../src/server/door/no-routes';
import type { AppDefinition, Published } from '../../src/server/supervisor/definitions/repository';
import { APP, type Placement } from '../../src/shared/app';
import type { DoorReport } from '../../src/shared/door-report';
import { ENVIRONMENT } from '../../src/shared/environment';
import { EVENT, type Event } from '../../src/shared/event';
import { defaultsIn } from '../../src/shared/fields';
import { say } from '../../src/shared/message';
import type { AppRecord, Lease, ManifestItem, Registration, SsoCode, StatusEntry } from '../../src/shared/messages';
import type { Operation, Progress } from '../../src/shared/operation';
import { OPERATION } from '../../src/shared/operation';
import { type RouteSettings, routeSettings } from '../../src/shared/routes';

/** Whole rows and messages, of which a test names only what it is about. */

export function recordOf(values: Partial<AppRecord> = {}): AppRecord {
  const generation = values.generation ?? 10;
  return {
    ...defaultsIn(APP, 'record'),
    name: 'crm',
    uid: 'uid-1',
    generation,
    boot: { generation, how: 'start' },
    desired: 'running',
    title: 'CRM',
    environments: ['env_a', 'env_b'],
    startMode: 'withMain',
    database: { dbConnType: 'new_database', database: values.name ?? 'crm' },
    provision: 'none',
    data: 'keep',
    ...values,
  };
}

export function entryOf(values: Partial<StatusEntry> = {}): StatusEntry {
  const generation = values.generation ?? 10;
  return {
    name: 'crm',
    uid: 'uid-1',
    status: 'running',
    since: 1,
    generation,
    bootGeneration: generation,
    begun: generation,
    doing: null,
    version: '2.2.15',
    lastVisitAt: null,
    pendingChanges: [],
    plugins: [],
    adminPassword: null,
    ...values,
  };
}

export function manifestItemOf(values: Partial<ManifestItem> = {}): ManifestItem {
  return { app: 'crm', uid: 'uid-1', namespace: 'portals', key: 'a', at: 10, value: { title: 'A' }, ...values };
}

export function doorReportOf(values: Partial<DoorReport> = {}): DoorReport {
  return {
    id: 'door-1',
    seq: 1,
    start: 's1',
    version: '0.3.0',
    haproxy: '3.0.11',
    table: { count: { term: 1, n: 1 }, age: 0 },
    sockets: 0,
    requests: 0,
    errors: 0,
    apps: {},
    environments: {},
    refused: [],
    unusable: [],
    isSecure: false,
    certificates: [],
    ...values,
  };
}

/** As a Supervisor publishes them whose operator has set nothing. */
export const routeSettingsOf = (values: Partial<RouteSettings> = {}): RouteSettings =>
  routeSettings.parse({
    ...NO_ROUTES.settings,
    trustedProxies: ['loopback'],
    frameAncestors: { main: "'self'", apps: '' },
    ...values,
  });

export function leaseOf(values: Partial<Lease> = {}): Lease {
  return {
    instance: 'one',
    epoch: 0,
    beat: 1,
    interval: 5_000,
    state: 'serving',
    registered: 1,
    memory: 1,
    eventLoopDelay: 1,
    ...values,
  };
}

export function registrationOf(name: string, values: Partial<Registration> = {}): Registration {
  return {
    ...defaultsIn(ENVIRONMENT, 'registration'),
    name,
    url: `http://${name}:15000`,
    proxyUrl: `http://${name}:15000`,
    appVersion: '2.2.15',
    plugins: [],
    serves: true,
    fingerprints: { appKey: 'a', aesKey: null },
    warnings: [],
    setsInitialAdmin: true,
    databaseRole: { mode: 'none', user: '', server: '', sql: '' },
    ...values,
  };
}

export function appOf(values: Partial<AppDefinition> = {}): AppDefinition {
  const generation = values.generation ?? 10;
  const { environments = ['env_a', 'env_b'], desired = 'running' } = values;
  const want =
    desired === 'stopped'
      ? ('stopped' as const)
      : values.startMode === 'onVisit'
        ? ('onDemand' as const)
        : ('running' as const);
  return {
    ...defaultsIn(APP, 'table'),
    name: 'crm',
    uid: 'uid-1',
    title: 'CRM',
    environments,
    targetEnvironment: 'env_a',
    desired,
    startMode: 'withMain',
    database: { dbConnType: 'new_database', database: 'crm' },
    generation,
    placements: Object.fromEntries(
      environments.map((name) => [name, { generation, want, boot: { generation, how: 'start' as const } }]),
    ),
    provision: 'none',
    published: {},
    createdAt: 1,
    updatedAt: 1,
    ...values,
  };
}

export function placementOf(values: Partial<Placement> = {}): Placement {
  const generation = values.generation ?? 10;
  return { generation, want: 'running', boot: { generation, how: 'start' }, ...values };
}

export function publishedOf(values: Partial<Published> = {}): Published {
  const generation = values.generation ?? 10;
  return {
    generation,
    boot: { generation, how: 'start' },
    desired: 'running',
    provision: 'none',
    data: 'keep',
    ...values,
  };
}

export function eventOf(values: Partial<Event> = {}): Event {
  return {
    ...defaultsIn(EVENT, 'table'),
    id: 'event-1',
    kind: 'health',
    environment: 'env_a',
    message: say('ENVIRONMENT_DOWN', { environment: 'env_a' }),
    at: 1,
    ...values,
  };
}

/** @param progress as `env_a boot`, or whole */
export function operationOf(progress: Array<string | Progress>, values: Partial<Operation> = {}): Operation {
  return {
    ...defaultsIn(OPERATION, 'table'),
    id: 'op-1',
    appName: 'crm',
    appUid: 'uid-1',
    action: 'start',
    state: 'queued',
    generation: 10,
    createdAt: 1,
    ...values,
    progress: progress.map((item) => {
      if (typeof item !== 'string') return item;
      const [environment, of] = item.split(' ');
      return { environment, of: of as Progress['of'], state: 'queued' };
    }),
  };
}

export const SSO_CODE: SsoCode = {
  app: 'uid-1',
  challenge: 'challenge',
  user: { id: 'fleet:7', since: 1, username: 'bob', email: null, nickname: 'Bob', isRoot: false, maySignUp: true },
  at: 10,
  endedAt: 0,
};
