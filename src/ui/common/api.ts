import { useMemo } from 'react';
import type { BatchRow } from '../../shared/batch';
import type { ChecklistRow } from '../../shared/checklist';
import type { ContainerAction, ContainerRow } from '../../shared/container';
import type { DeletedAppRow } from '../../shared/deleted';
import type { EnvironmentDetails } from '../../shared/environment';
import type { Arrival, JoinAnswer, JoinRequest } from '../../shared/join';
import type { Message } from '../../shared/message';
import type { MovePlan, NewAppPlan } from '../../shared/move';
import type { NoticeResult, NoticeSettings, NotifierId, NotifierRow } from '../../shared/notice';
import type { AppCounts, AppLoad, FleetLoad, FleetSummary } from '../../shared/summary';
import type {
  AppOptions,
  AppRow,
  CreatedApp,
  DbConnType,
  DrainMode,
  EnvironmentRow,
  EventRow,
  OperationRow,
  PartInfo,
} from '../../shared/types';
import type { ViewRow } from '../../shared/view';
import { type Host, useHost } from '../host';
import { apiError } from './errors';
import { allPages } from './pages';
import { type AppsFilter, type AppsQuery, appsFilter } from './query';
import type { Page } from './refresher';

export type OperateAction = 'start' | 'stop' | 'restart' | 'upgrade' | 'renewSecrets';
export type EnvironmentAction = 'cordon' | 'uncordon' | 'drain' | 'forget';

/** Whether an address answers, and a description of the answer. */
export interface Reach {
  ok: boolean;
  message: Message;
}

export interface DatabaseCheck {
  checks: { name: string; ok: boolean; message: Message; remedy?: Message }[];
  verdict: 'free' | 'adoptable' | 'taken' | 'unusable';
}

/** What is moved: some apps, or all of an environment. */
export type MoveSubject = { apps: string[] } | { environment: string };

/** The answer of an action for several apps. */
export interface BulkAnswer {
  operations: OperationRow[];
  refused: Array<Message & { app: string }>;
  /** Id of the batch; null or absent if it was about one app or none, or brings home. */
  batch?: string | null;
}

/** Settings that several apps can share. */
export type SharedSettings = Partial<Pick<AppRow, 'startMode' | 'failover' | 'failoverDelay' | 'failback'>>;

/** Most rows that the server gives at once. */
const LARGEST_PAGE = 200;

interface User {
  id: number;
  nickname: string | null;
  username: string | null;
}

const namesOf = (users: User[]): Record<string, string> =>
  Object.fromEntries(users.map(({ id, nickname, username }) => [id, nickname || username || String(id)]));

export type Api = ReturnType<typeof apiOf>;

/** The ways in which requests are sent; each throws `ApiError`. */
function sendersOf(request: Host['request']) {
  const send = async <T>(url: string, method: 'get' | 'post', params?: Record<string, unknown>, data?: unknown) => {
    try {
      return (await request({ url, method, params, data })) as { data: T; meta?: { count?: number } };
    } catch (error) {
      throw apiError(error);
    }
  };
  const get = async <T>(url: string, params?: Record<string, unknown>) => (await send<T>(url, 'get', params)).data;
  const post = async <T>(url: string, params?: Record<string, unknown>, data?: unknown) =>
    (await send<T>(url, 'post', params, data)).data;
  /** Names of many apps are too long for an address. @returns what was refused; of a single app, that is an error */
  const ofApps = async (url: string, names: string[], data?: object): Promise<Omit<BulkAnswer, 'operations'>> => {
    const { meta } = await send(url, 'post', undefined, { ...data, filterByTk: names });
    const { refused = [], batch = null } = (meta ?? {}) as Partial<BulkAnswer>;
    return { refused, batch };
  };
  return { send, get, post, ofApps };
}

type Senders = ReturnType<typeof sendersOf>;

function apiOf(request: Host['request']) {
  const senders = sendersOf(request);
  const { send, get, post } = senders;
  return {
    ...ofMainApp(senders),
    ...ofSeveralApps(senders),
    ...ofViews(senders),
    info: () => get<PartInfo>('appSupervisor:info'),
    getApp: (name: string) => get<AppRow>('apps:get', { filterByTk: name }),
    async createApp(values: object): Promise<CreatedApp & { unchecked: string[] }> {
      const { data, meta } = await send<CreatedApp>('apps:create', 'post', undefined, values);
      return { ...data, unchecked: (meta as { unchecked?: string[] } | undefined)?.unchecked ?? [] };
    },
    /** What a new app would get that its request leaves open. */
    previewCreate: (title: string, seed: string) => post<NewAppPlan>('apps:previewCreate', undefined, { title, seed }),
    updateApp: (name: string, values: object) => post<AppRow>('apps:update', { filterByTk: name }, values),
    /** For an app that was to be created where another one is. */
    adoptInstead: (name: string) => post<AppRow>('apps:adopt', { filterByTk: name }),
    listDeleted: () => get<DeletedAppRow[]>('apps:deleted'),
    /** @param environments default: where it was */
    restoreApp: (uid: string, environments?: string[]) =>
      post<AppRow>('apps:restore', { filterByTk: uid }, { environments }),
    adoptApp: (values: object) => post<AppRow>('apps:adopt', undefined, values),
    /** @param until in ms since 1970; undefined: the newest lines */
    logs: (name: string, environment: string, lines: number, until?: number) =>
      get<string[]>('apps:logs', { filterByTk: name, environment, lines, until }),
    databaseSize: (name: string, environment: string) =>
      get<{ bytes: number | null }>('apps:databaseSize', { filterByTk: name, environment }),
    /** Null where no request passes through this process. */
    appLoad: (name: string) => get<AppLoad | null>('apps:load', { filterByTk: name }),
    checkDatabase: (values: {
      environment: string;
      name?: string;
      dbConnType: DbConnType;
      database: AppOptions['database'];
    }) => post<DatabaseCheck>('apps:checkDatabase', undefined, values),
    resetAdmin: (kind: 'app' | 'environment', name: string) =>
      post<CreatedApp['initialAdmin'] & { unconfirmed: string[] }>(
        kind === 'app' ? 'apps:resetAdmin' : 'appEnvironments:resetAdmin',
        { filterByTk: name },
      ),
    summary: () => get<FleetSummary>('appFleet:summary'),
    load: () => get<FleetLoad>('appFleet:load'),
    checklist: () => get<ChecklistRow[]>('appFleet:checklist'),
    ...ofEnvironments(senders),
    ...ofNotifiers(senders),
    /** Newest first. @param appName default: of all apps */
    listOperations: (appName?: string, pageSize = 20) =>
      get<OperationRow[]>('appOperations:list', {
        filter: JSON.stringify({ appName }),
        sort: '-createdAt',
        pageSize,
      }),
    async listEvents(filter: Record<string, unknown>, page: number, pageSize: number): Promise<Page<EventRow>> {
      const params = { filter: JSON.stringify(filter), page, pageSize };
      const { data, meta } = await send<EventRow[]>('appEvents:list', 'get', params);
      return { rows: data, count: meta?.count ?? data.length };
    },
    onOperation: (action: 'retry' | 'cancel', id: string) =>
      post<OperationRow>(`appOperations:${action}`, { filterByTk: id }),
  };
}

/** Lists of apps, and actions for several. */
function ofSeveralApps({ send, get, post, ofApps }: Senders) {
  return {
    async listApps(query: AppsQuery): Promise<Page<AppRow>> {
      const { page, pageSize, sort } = query;
      const filter = JSON.stringify(appsFilter(query));
      const { data, meta } = await send<AppRow[]>('apps:list', 'get', { filter, page, pageSize, sort });
      return { rows: data, count: meta?.count ?? data.length };
    },
    countApps: (query: AppsFilter) => get<AppCounts>('apps:counts', { filter: JSON.stringify(appsFilter(query)) }),
    /** At most `most` of those that match, by name: an order that statuses and times do not change meanwhile. */
    async matchingApps(query: AppsQuery, most: number): Promise<AppRow[]> {
      const filter = JSON.stringify(appsFilter(query));
      const pageOf = async (page: number) => {
        const params = { filter, page, pageSize: LARGEST_PAGE, sort: 'name' };
        const { data, meta } = await send<AppRow[]>('apps:list', 'get', params);
        return { rows: data, count: meta?.count ?? data.length };
      };
      return (await allPages(pageOf, most, ({ name }) => name)).slice(0, most);
    },
    /** All labels that apps have. */
    listLabels: async () => Object.keys((await get<AppCounts>('apps:counts')).labels),
    labelApps: (names: string[], change: { add: string[]; remove: string[] }) => ofApps('apps:label', names, change),
    configureApps: (names: string[], settings: SharedSettings) => ofApps('apps:configure', names, settings),
    operate: (action: OperateAction, names: string[]) => ofApps(`apps:${action}`, names),
    destroyApps: (names: string[], database: 'keep' | 'drop') => ofApps('apps:destroy', names, { database }),
    previewMove: (subject: MoveSubject, to?: string) => post<MovePlan>(...moveOf('previewMove', subject, to)),
    move: (subject: MoveSubject, to?: string) => post<BulkAnswer>(...moveOf('move', subject, to)),
    /** Newest first. */
    listBatches: (pageSize: number, filter: Record<string, unknown> = {}) =>
      get<BatchRow[]>('appBatches:list', { pageSize, filter: JSON.stringify(filter) }),
    getBatch: (id: string) => get<BatchRow>('appBatches:get', { filterByTk: id }),
    retryBatch: (id: string) => post<BatchRow>('appBatches:retry', { filterByTk: id }),
  };
}

/** Saved views of the list of apps, each user's own. */
function ofViews({ get, post }: Senders) {
  return {
    listViews: () => get<ViewRow[]>('appViews:list'),
    createView: (values: Omit<ViewRow, 'id'>) => post<ViewRow>('appViews:create', undefined, values),
    updateView: (id: string, values: Partial<Omit<ViewRow, 'id'>>) =>
      post<ViewRow>('appViews:update', { filterByTk: id }, values),
    destroyView: (id: string) => post<string>('appViews:destroy', { filterByTk: id }),
  };
}

function ofEnvironments({ send, get, post }: Senders) {
  const bulk = async (url: string, name: string, data: object) =>
    (await send(url, 'post', { filterByTk: name }, data)).meta as BulkAnswer & { left: BulkAnswer['refused'] };
  return {
    listEnvironments: () => get<EnvironmentRow[]>('appEnvironments:list', { pageSize: 200 }),
    getEnvironment: (name: string) => get<EnvironmentDetails>('appEnvironments:get', { filterByTk: name }),
    /** @param until in ms since 1970; undefined: the newest lines */
    environmentLogs: (name: string, lines: number, until?: number) =>
      get<string[]>('appEnvironments:logs', { filterByTk: name, lines, until }),
    joinEnvironment: (request: JoinRequest) => post<JoinAnswer>('appEnvironments:join', undefined, request),
    arrivalOf: (name: string, address: string) =>
      post<Arrival>('appEnvironments:arrival', undefined, { name, address }),
    listContainers: () => get<ContainerRow[]>('appContainers:list'),
    createContainer: (values: JoinRequest & { memory?: number; cpus?: number }) =>
      post<ContainerRow>('appContainers:create', undefined, values),
    onContainer: (action: ContainerAction, environment: string) =>
      post<ContainerRow>(`appContainers:${action}`, { filterByTk: environment }),
    containerLog: (environment: string, lines: number) =>
      get<string[]>('appContainers:logs', { filterByTk: environment, lines }),
    admit: (name: string, address: string) =>
      post<EnvironmentRow>('appEnvironments:admit', { filterByTk: name }, { address }),
    cordon: (name: string) => post<EnvironmentRow>('appEnvironments:cordon', { filterByTk: name }),
    async drain(name: string, mode: DrainMode, to?: string): Promise<BulkAnswer> {
      const { left, ...answer } = await bulk('appEnvironments:drain', name, { mode, to });
      return { ...answer, refused: left };
    },
    uncordon: (name: string, bringHome: boolean) => bulk('appEnvironments:uncordon', name, { bringHome }),
    forget: (name: string, move: boolean, to?: string) => bulk('appEnvironments:forget', name, { move, to }),
    checkEnvironment: (name: string) => get<Record<'web' | 'ws', Reach>>('appEnvironments:check', { filterByTk: name }),
  };
}

function ofNotifiers({ send, post }: Senders) {
  return {
    async noticeSettings(): Promise<NoticeSettings> {
      const { data, meta } = await send<NotifierRow[]>('appNotifiers:list', 'get');
      return { notifiers: data, ...(meta as Omit<NoticeSettings, 'notifiers'>) };
    },
    updateNotifier: (id: NotifierId, values: object) =>
      post<NotifierRow & { secret?: string }>('appNotifiers:update', { filterByTk: id }, values),
    testNotifier: (id: NotifierId) => post<NoticeResult>('appNotifiers:test', { filterByTk: id }),
  };
}

/** What NocoBase itself answers. */
function ofMainApp({ get, post }: Senders) {
  return {
    /** Of whoever is signed in, whose sessions end. */
    changePassword: (passwords: object) => post<unknown>('auth:changePassword', undefined, passwords),
    /** By id, the first of those whose name contains a text; only users that the caller has permission to see. */
    async findUsers(text: string): Promise<Record<string, string>> {
      const contains = { $includes: text };
      const filter = text ? JSON.stringify({ $or: [{ nickname: contains }, { username: contains }] }) : undefined;
      return namesOf(await get<User[]>('users:list', { filter, fields: 'id,nickname,username', pageSize: 20 }));
    },
    /** By id; only users that the caller has permission to see. */
    async userNames(ids: string[]): Promise<Record<string, string>> {
      const filter = JSON.stringify({ id: { $in: ids } });
      return namesOf(await get<User[]>('users:list', { filter, fields: 'id,nickname,username', paginate: false }));
    },
    /** Of the main app, with titles as written; a title may be a template of NocoBase. */
    listRoles: () =>
      get<{ name: string; title: string | null }[]>('roles:list', {
        fields: 'name,title',
        sort: 'name',
        paginate: false,
      }),
    /** That the main app offers. */
    listLanguages: async () =>
      (await get<{ enabledLanguages?: string[] | null }>('systemSettings:get')).enabledLanguages ?? [],
  };
}

const moveOf = (
  action: 'move' | 'previewMove',
  subject: MoveSubject,
  to?: string,
): [string, { filterByTk: string } | undefined, object] =>
  'apps' in subject
    ? [`apps:${action}`, undefined, { to, filterByTk: subject.apps }]
    : [`appEnvironments:${action}`, { filterByTk: subject.environment }, { to }];

export function useApi(): Api {
  const { request } = useHost();
  return useMemo(() => apiOf(request), [request]);
}
