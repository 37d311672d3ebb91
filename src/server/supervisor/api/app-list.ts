import type { Filter } from '@nocobase/database';
import { z } from 'zod';
import { APP } from '../../../shared/app';
import { keysIn } from '../../../shared/fields';
import { say } from '../../../shared/message';
import type { AppCounts } from '../../../shared/summary';
import type { ShownStatus } from '../../../shared/types';
import { type CountedStatus, worstOf } from '../../../shared/words';
import { AppSupervisorError } from '../../errors';
import type { AppDefinition } from '../definitions/repository';
import { type ActionContext, type Answer, pageMeta, paging, sorting } from './action';
import { filtering } from './filter';
import { ORDERS } from './order';
import { isFound, wordsOf } from './search';

const SORTABLE = keysIn(APP, 'sort');
/** Default order of the list: what is shown first. */
const FIRST_ORDER = ['title'];
/** Of names that memory sorts, or nobody. */
const ANY_ORDER = ['name'];
const FILTERABLE = [...SORTABLE, ...keysIn(APP, 'filter')];

/** A constant number of queries for the names; the rest comes from memory. */
export async function listed({ supervisor, params }: ActionContext): Promise<Answer> {
  const { appRepository, view } = supervisor.parts;
  const { page, pageSize } = paging(params);
  const { rest, ...ours } = splitFilter(params.filter);
  const filter = filtering(rest, APP, FILTERABLE);
  const sort = sorting(params.sort, [...SORTABLE, 'status', 'labels'], FIRST_ORDER);
  const field = sort[0].replace(/^-/, '');
  const names = await appRepository.names(filter, ORDERS[field] ? ANY_ORDER : sort);
  const found = lookedAt(supervisor, names).filter((each) => isMatch(each, ours));
  if (ORDERS[field]) inOrder(found, field, sort[0].startsWith('-'));
  const rows = found.slice((page - 1) * pageSize, page * pageSize).map(({ app }) => view.appRow(app));
  return { data: rows, meta: pageMeta(found.length, page, pageSize) };
}

/** An app, and its status in each environment, which is found out if somebody asks. */
interface Looked {
  app: AppDefinition;
  places(): Array<[environment: string, shown: ShownStatus]>;
}

function lookedAt(supervisor: ActionContext['supervisor'], names: readonly string[]): Looked[] {
  const { view } = supervisor.parts;
  let statusIn: ReturnType<typeof view.judge> | undefined;
  return names.flatMap((name): Looked[] => {
    const app = supervisor.app(name);
    if (!app) return [];
    let places: ReturnType<Looked['places']> | undefined;
    return [
      {
        app,
        places() {
          statusIn ??= view.judge();
          places ??= view.statusesOf(app, statusIn);
          return places;
        },
      },
    ];
  });
}

/** The one status by which an app is counted: its worst one, in all of its environments or in some. */
function statusOf({ app, places }: Looked, environment: string[] | null): CountedStatus {
  if (!app.environments.length && !environment) return worstOf([]);
  const some = places().filter(([name]) => !environment || environment.includes(name));
  return worstOf(some.map(([, { status }]) => status));
}

function isMatch(looked: Looked, { status, environment, labels, words }: OwnFilters): boolean {
  const { app, places } = looked;
  if (!labels.every((some) => some.some((label) => app.labels.includes(label)))) return false;
  if (environment && !places().some(([name]) => environment.includes(name))) return false;
  if (status && !status.includes(statusOf(looked, environment))) return false;
  return !words.length || isFound(words, app, places);
}

/** How many apps each filter would find, together with the other filters: from memory, with one query for the names. */
export async function counted({ supervisor, params }: ActionContext): Promise<Answer> {
  const { rest, ...ours } = splitFilter(params.filter);
  const names = await supervisor.parts.appRepository.names(filtering(rest, APP, FILTERABLE), ANY_ORDER);
  const found: AppCounts = { statuses: {}, environments: {}, labels: {} };
  const count = <K extends string>(counts: Partial<Record<K, number>>, key: K) => {
    counts[key] = (counts[key] ?? 0) + 1;
  };
  for (const each of lookedAt(supervisor, names)) {
    if (isMatch(each, { ...ours, status: null })) count(found.statuses, statusOf(each, ours.environment));
    if (isMatch(each, { ...ours, status: null, environment: null }))
      for (const [name, { status }] of each.places())
        if (!ours.status || ours.status.includes(status)) count(found.environments, name);
    if (isMatch(each, ours)) for (const label of each.app.labels) count(found.labels, label);
  }
  return { data: found };
}

/** Sorts in place. */
function inOrder(found: Looked[], field: string, isDescending: boolean): void {
  const keys = new Map(
    found.map(({ app, places }) => [
      app,
      {
        name: app.name,
        title: app.title,
        statuses: field === 'status' && app.environments.length ? places().map(([, { status }]) => status) : [],
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
  /** An app has all of them. */
  words: string[];
}

/**
 * `status`, `environment`, `label` and `search` are our own filters, at the top level or within `$and`; the database handles the
 * rest.
 */
function splitFilter(filter: unknown): OwnFilters & { rest: Filter } {
  const found: OwnFilters = { status: null, environment: null, labels: [], words: [] };
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
        if (key === 'search') {
          found.words.push(...valuesOf(key, value).flatMap(wordsOf));
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
