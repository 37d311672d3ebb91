import type { Filter } from '@nocobase/database';
import { z } from 'zod';
import { APP } from '../../../shared/app';
import { keysIn } from '../../../shared/fields';
import { say } from '../../../shared/message';
import type { Operation } from '../../../shared/operation';
import type { AppCounts, CountedStatus } from '../../../shared/summary';
import type { ShownStatus } from '../../../shared/types';
import { NO_ENVIRONMENT } from '../../../shared/words';
import { AppSupervisorError, describeError, inEnglish } from '../../errors';
import { administratorOf } from '../../protocol/administrator';
import {
  adoptInput,
  checkInput,
  commandInput,
  createInput,
  destroyInput,
  labelInput,
  logsInput,
  migrateInput,
  moveInput,
  namesInput,
  parseInput,
  sizeInput,
  updateInput,
} from '../definitions/input';
import { assertPermitted } from '../definitions/permissions';
import type { AppDefinition } from '../definitions/repository';
import type { BulkResult } from '../placement/moves';
import { type ActionContext, type Answer, pageMeta, paging, sorting, target } from './action';
import { filtering } from './filter';
import { ORDERS } from './order';

const SORTABLE = keysIn(APP, 'sort');
/** Default order of the list. */
const FIRST_ORDER = ['sort', 'name'];
const FILTERABLE = [...SORTABLE, ...keysIn(APP, 'filter')];

/** A constant number of queries for the names; the rest comes from memory. */
export async function list({ supervisor, params }: ActionContext): Promise<Answer> {
  const { appRepository, view } = supervisor.parts;
  const { page, pageSize } = paging(params);
  const { rest, ...ours } = splitFilter(params.filter);
  const { status, environment } = ours;
  const filter = filtering(rest, APP, FILTERABLE);
  const sort = sorting(params.sort, [...SORTABLE, 'status', 'labels'], FIRST_ORDER);
  const field = sort[0].replace(/^-/, '');
  const appsOf = (names: string[]) => names.flatMap((name) => supervisor.app(name) ?? []);
  if (!status && !environment && !ours.labels.length && !ORDERS[field]) {
    const [names, count] = await appRepository.page(filter, sort, page, pageSize);
    return { data: appsOf(names).map((app) => view.appRow(app)), meta: pageMeta(count, page, pageSize) };
  }
  // Conditions and orders that only memory can answer.
  const statusIn = view.judge();
  const found = appsOf(await appRepository.names(filter, ORDERS[field] ? FIRST_ORDER : sort))
    .filter((app) => hasLabels(app, ours.labels))
    .map((app) => ({ app, places: view.statusesOf(app, statusIn) }))
    .filter(({ app, places }) => (!status && !environment) || placesWith(app, places, status, environment).length > 0);
  if (ORDERS[field]) inOrder(found, field, sort[0].startsWith('-'));
  const rows = found.slice((page - 1) * pageSize, page * pageSize).map(({ app }) => view.appRow(app));
  return { data: rows, meta: pageMeta(found.length, page, pageSize) };
}

type Places = Array<[environment: string, shown: ShownStatus]>;

/** @param wanted of each of these, one */
const hasLabels = ({ labels }: AppDefinition, wanted: string[][]): boolean =>
  wanted.every((some) => some.some((label) => labels.includes(label)));

/**
 * Where an app has one of these statuses, in one of these environments; null: any. Having no environment is a status,
 * too.
 */
function placesWith(
  app: AppDefinition,
  places: Places,
  status: string[] | null,
  environment: string[] | null,
): Array<[environment: string | null, status: CountedStatus]> {
  const isHomeless = !app.environments.length && !environment && (!status || status.includes(NO_ENVIRONMENT));
  const found = places.filter(
    ([name, shown]) => (!environment || environment.includes(name)) && (!status || status.includes(shown.status)),
  );
  return [
    ...(isHomeless ? [[null, NO_ENVIRONMENT] as [null, CountedStatus]] : []),
    ...found.map(([name, shown]): [string, CountedStatus] => [name, shown.status]),
  ];
}

/** How many apps each filter would find, together with the other filters: from memory, with one query for the names. */
export async function counts({ supervisor, params }: ActionContext): Promise<Answer> {
  const { appRepository, view } = supervisor.parts;
  const { status, environment, labels, rest } = splitFilter(params.filter);
  const names = await appRepository.names(filtering(rest, APP, FILTERABLE), FIRST_ORDER);
  const statusIn = view.judge();
  const found: AppCounts = { statuses: {}, environments: {}, labels: {} };
  for (const app of names.flatMap((name) => supervisor.app(name) ?? [])) {
    if (!hasLabels(app, labels)) continue;
    const places = view.statusesOf(app, statusIn);
    for (const each of new Set(placesWith(app, places, null, environment).map(([, one]) => one)))
      found.statuses[each] = (found.statuses[each] ?? 0) + 1;
    for (const each of new Set(placesWith(app, places, status, null).map(([name]) => name)))
      if (each !== null) found.environments[each] = (found.environments[each] ?? 0) + 1;
    if ((!status && !environment) || placesWith(app, places, status, environment).length > 0)
      for (const each of app.labels) found.labels[each] = (found.labels[each] ?? 0) + 1;
  }
  return { data: found };
}

/** Sorts in place. */
function inOrder(found: Array<{ app: AppDefinition; places: Places }>, field: string, isDescending: boolean): void {
  const keys = new Map(
    found.map(({ app, places }) => [
      app,
      {
        name: app.name,
        title: app.title,
        statuses: app.environments.length ? places.map(([, { status }]) => status) : [],
        labels: app.labels,
      },
    ]),
  );
  const compare = ORDERS[field];
  found.sort(({ app: one }, { app: other }) => compare(keys.get(one)!, keys.get(other)!) * (isDescending ? -1 : 1));
}

export async function get({ supervisor, params }: ActionContext): Promise<Answer> {
  return { data: supervisor.parts.view.appRow(knownApp(supervisor, target(params))) };
}

/** Only this answer contains the administrator's plain-text password. */
export async function create({ supervisor, values, userId, caller, may }: ActionContext): Promise<Answer> {
  const input = parseInput(createInput, values);
  assertPermitted(null, input, may);
  const initialAdmin = administratorOf(input.initialAdmin, caller);
  const operation = await supervisor.parts.service.create({ ...input, initialAdmin }, userId);
  return { data: { ...newRow(supervisor, operation), initialAdmin } };
}

/** Takes over a database that already contains a NocoBase app: as a new app, or for one that was to be created there. */
export async function adopt({ supervisor, values, params, userId, may }: ActionContext): Promise<Answer> {
  if (params.filterByTk) {
    const { name } = knownApp(supervisor, target(params));
    return { data: newRow(supervisor, await supervisor.parts.service.adoptInstead(name, userId)) };
  }
  const input = parseInput(adoptInput, values);
  assertPermitted(null, input, may);
  const operation = await supervisor.parts.service.create({ ...input, initialAdmin: null }, userId, 'adopt');
  return { data: newRow(supervisor, operation) };
}

const newRow = (supervisor: ActionContext['supervisor'], operation: Operation) => ({
  ...supervisor.parts.view.appRow(knownApp(supervisor, operation.appName)),
  operation: supervisor.parts.view.operationRow(operation),
});

/** The worker that would use the database runs the check, because only it knows its server. */
export async function checkDatabase({ supervisor, values }: ActionContext): Promise<Answer> {
  return { data: await supervisor.parts.requests.checkDatabase(parseInput(checkInput, values)) };
}

/** The last lines of an app's log where it runs. */
export async function logs({ supervisor, params }: ActionContext): Promise<Answer> {
  const app = knownApp(supervisor, target(params));
  const { environment, lines, until } = parseInput(logsInput, params);
  return { data: await supervisor.parts.requests.logs(app, environment ?? app.environments[0], lines, until) };
}

/** How many bytes the database of an app takes. */
export async function databaseSize({ supervisor, params }: ActionContext): Promise<Answer> {
  const app = knownApp(supervisor, target(params));
  const environment = parseInput(sizeInput, params).environment ?? app.environments[0];
  return { data: { bytes: await supervisor.parts.requests.databaseSize(app, environment ?? '') } };
}

/** The last hour of one app. */
export async function load({ supervisor, params }: ActionContext): Promise<Answer> {
  return { data: supervisor.parts.load.ofApp(knownApp(supervisor, target(params))) };
}

/** Takes apps over from multi-app-manager, whose page calls this action. */
export async function migrate({ supervisor, values, userId, may }: ActionContext): Promise<Answer> {
  const { appNames, environments } = parseInput(migrateInput, values);
  return { data: await supervisor.parts.migration.migrate(appNames, environments ?? null, userId, may) };
}

export async function update({ supervisor, values, params, userId, may }: ActionContext): Promise<Answer> {
  const name = target(params);
  knownApp(supervisor, name);
  const input = parseInput(updateInput, values);
  const { service, view } = supervisor.parts;
  if (await service.relabel(name, input, userId)) return { data: view.appRow(knownApp(supervisor, name)) };
  const operation = await service.update(name, input, userId, may);
  return { data: { ...view.appRow(knownApp(supervisor, name)), operation: view.operationRow(operation) } };
}

/** Adds labels to one app or several, and removes others. */
export async function label({ supervisor, params, values, userId }: ActionContext): Promise<Answer> {
  const change = parseInput(labelInput, values);
  const names = knownApps(supervisor, params.filterByTk).map(({ name }) => name);
  const { done, refused } = await forEach(names, async (name) => {
    await supervisor.parts.service.label(name, change, userId);
    return supervisor.parts.view.appRow(knownApp(supervisor, name));
  });
  return { data: done, meta: { refused: refused.map(inWords) } };
}

/** Start, stop, restart and upgrade, for one app or several. */
export const command =
  (what: 'start' | 'stop' | 'restart' | 'upgrade') =>
  async ({ supervisor, params, values, userId }: ActionContext): Promise<Answer> => {
    const options = parseInput(commandInput, values);
    const names = parseInput(namesInput, params.filterByTk, 'filterByTk');
    for (const name of names) knownApp(supervisor, name);
    return operationsOf(supervisor, names, (name) => supervisor.parts.service.command(name, what, userId, options));
  };

/** Requests one operation for each of these apps. */
async function operationsOf(
  supervisor: ActionContext['supervisor'],
  names: string[],
  request: (name: string) => Promise<Operation>,
): Promise<Answer> {
  const { done, refused } = await forEach(names, request);
  const { operations, ...meta } = bulkRow(supervisor, { operations: done, refused });
  return { data: operations, meta };
}

/**
 * One app that is refused does not keep the others from what is requested for each of them, but a single one is an
 * error.
 */
async function forEach<T>(
  names: string[],
  request: (name: string) => Promise<T>,
): Promise<{ done: T[]; refused: BulkResult['refused'] }> {
  const done: T[] = [];
  const refused: BulkResult['refused'] = [];
  for (const name of names) {
    try {
      done.push(await request(name));
    } catch (error) {
      if (!(error instanceof AppSupervisorError) || names.length === 1) throw error;
      refused.push({ app: name, ...describeError(error) });
    }
  }
  return { done, refused };
}

/** What a move would do, for one app or several. Changes nothing. */
export async function previewMove({ supervisor, params, values }: ActionContext): Promise<Answer> {
  const request = parseInput(moveInput, values);
  return { data: await supervisor.parts.moves.preview(knownApps(supervisor, params.filterByTk), request) };
}

/** Moves one app or several; what cannot be moved is refused with its reason. */
export async function move({ supervisor, params, values, userId }: ActionContext): Promise<Answer> {
  const request = parseInput(moveInput, values);
  const apps = knownApps(supervisor, params.filterByTk);
  return { data: bulkRow(supervisor, await supervisor.parts.moves.move(apps, request, userId)) };
}

/** The answer of an action for several apps. */
export const bulkRow = (supervisor: ActionContext['supervisor'], { operations, refused }: BulkResult) => ({
  operations: operations.map((operation) => supervisor.parts.view.operationRow(operation)),
  refused: refused.map(inWords),
});

const inWords = (refused: BulkResult['refused'][number]) => ({ ...refused, message: inEnglish(refused) });

const knownApps = (supervisor: ActionContext['supervisor'], names: unknown) =>
  parseInput(namesInput, names, 'filterByTk').map((name) => knownApp(supervisor, name));

/** Only this answer contains the new password. */
export async function resetAdmin({ supervisor, params, userId }: ActionContext): Promise<Answer> {
  const app = knownApp(supervisor, target(params));
  return { data: await supervisor.parts.administrators.ofApp(app, userId) };
}

export async function destroy({ supervisor, params, values, userId }: ActionContext): Promise<Answer> {
  const names = parseInput(namesInput, params.filterByTk, 'filterByTk');
  const { database } = parseInput(destroyInput, {
    ...(params.database ? { database: params.database } : {}),
    ...values,
  });
  for (const name of names) knownApp(supervisor, name);
  return operationsOf(supervisor, names, (name) => supervisor.parts.service.destroy(name, database, userId));
}

function knownApp(supervisor: ActionContext['supervisor'], name: string) {
  const app = supervisor.app(name);
  if (!app) throw new AppSupervisorError(supervisor.loaded ? 'UNKNOWN_APP' : 'NOT_READY', { app: name });
  return app;
}

const isFilter = (part: unknown): part is object => typeof part === 'object' && part !== null && !Array.isArray(part);

const ownFilter = z.union([z.string(), z.array(z.string())]);

/** @throws AppSupervisorError INVALID_INPUT for any other comparison */
function valuesOf(key: string, value: unknown): string[] {
  const operand = z.strictObject({ $eq: ownFilter.optional(), $in: ownFilter.optional() }).safeParse(value);
  const given = operand.success
    ? [operand.data.$eq ?? [], operand.data.$in ?? []].flat()
    : ownFilter.safeParse(value).data;
  if (given !== undefined) return [given].flat();
  throw new AppSupervisorError('INVALID_INPUT', { problem: say('INPUT_FILTER_OPERATOR', { field: key }) }, 'filter');
}

interface OwnFilters {
  status: string[] | null;
  environment: string[] | null;
  /** Of each of these, an app has one. */
  labels: string[][];
}

/**
 * `status`, `environment` and `label` are our own filters, at the top level or within `$and`; the database handles the
 * rest.
 */
function splitFilter(filter: unknown): OwnFilters & { rest: Filter } {
  const found: OwnFilters = { status: null, environment: null, labels: [] };
  const take = (part: unknown): unknown => {
    if (!isFilter(part)) return part;
    return Object.fromEntries(
      Object.entries(part).flatMap(([key, value]): Array<[string, unknown]> => {
        if (key === 'status' || key === 'environment') {
          found[key] = valuesOf(key, value);
          return [];
        }
        if (key === 'label') {
          found.labels.push(valuesOf(key, value));
          return [];
        }
        if (key === '$and' && Array.isArray(value)) {
          const others = value.map(take).filter((other) => isFilter(other) && Object.keys(other).length);
          return others.length ? [[key, others]] : [];
        }
        return [[key, value]];
      }),
    );
  };
  return { rest: (take(filter) ?? {}) as Filter, ...found };
}
