import type { Filter } from '@nocobase/database';
import { z } from 'zod';
import { APP } from '../../../shared/app';
import { keysIn } from '../../../shared/fields';
import { say } from '../../../shared/message';
import type { AppCounts } from '../../../shared/summary';
import type { ShownStatus } from '../../../shared/types';
import { type CountedStatus, NO_ENVIRONMENT } from '../../../shared/words';
import { AppSupervisorError } from '../../errors';
import type { AppDefinition } from '../definitions/repository';
import { type ActionContext, type Answer, pageMeta, paging, sorting } from './action';
import { filtering } from './filter';
import { ORDERS } from './order';

const SORTABLE = keysIn(APP, 'sort');
/** Default order of the list. */
const FIRST_ORDER = ['sort', 'name'];
const FILTERABLE = [...SORTABLE, ...keysIn(APP, 'filter')];

/** A constant number of queries for the names; the rest comes from memory. */
export async function listed({ supervisor, params }: ActionContext): Promise<Answer> {
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
export async function counted({ supervisor, params }: ActionContext): Promise<Answer> {
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
