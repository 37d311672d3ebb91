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
import { ORDERS, type Sorted } from './order';
import { isFound, wordsOf } from './search';

/** Default order of the list: what is shown first. */
const FIRST_ORDER = ['title'];
/** Of names that memory sorts, or nobody. */
const ANY_ORDER = ['name'];

/** A constant number of queries for the names; the rest comes from memory. */
export async function listed({ supervisor, parts, params }: ActionContext): Promise<Answer> {
  const { page, pageSize } = paging(params);
  const { rest, ...ours } = splitFilter(params.filter);
  const filter = filtering(rest, APP);
  const sort = sorting(params.sort, [...keysIn(APP, 'sort'), 'status', 'labels'], FIRST_ORDER);
  const compare = ORDERS[sort[0].replace(/^-/, '')];
  const names = await parts.appRepository.names(filter, compare ? ANY_ORDER : sort);
  const found = lookedAt(supervisor, names).filter((each) => isMatch(each, ours));
  const direction = sort[0].startsWith('-') ? -1 : 1;
  if (compare) found.sort((one, other) => compare(one, other) * direction);
  const rows = found.slice((page - 1) * pageSize, page * pageSize).map(({ app }) => parts.view.appRow(app));
  return { data: rows, meta: pageMeta(found.length, page, pageSize) };
}

/** An app of the list, whose statuses are found out if somebody asks. */
class Looked implements Sorted {
  private found: [environment: string, shown: ShownStatus][] | null = null;
  private worst: CountedStatus | null = null;

  constructor(
    readonly app: AppDefinition,
    private readonly find: () => [environment: string, shown: ShownStatus][],
  ) {}

  get places() {
    this.found ??= this.find();
    return this.found;
  }

  get status(): CountedStatus {
    this.worst ??= this.statusIn(null);
    return this.worst;
  }

  /** The one by which it is counted: its worst one, in all of its environments or in these. */
  statusIn(environments: string[] | null): CountedStatus {
    if (!this.app.environments.length && !environments) return worstOf([]);
    const some = this.places.filter(([name]) => !environments || environments.includes(name));
    return worstOf(some.map(([, { status }]) => status));
  }
}

function lookedAt(supervisor: ActionContext['supervisor'], names: readonly string[]): Looked[] {
  const { view } = supervisor.parts;
  // A list that asks for no status looks at no environment.
  let statusIn: ReturnType<typeof view.judge> | undefined;
  const judged = () => {
    statusIn ??= view.judge();
    return statusIn;
  };
  return names.flatMap((name) => {
    const app = supervisor.app(name);
    return app ? [new Looked(app, () => view.statusesOf(app, judged()))] : [];
  });
}

function isMatch(looked: Looked, { status, environment, labels, words }: OwnFilters): boolean {
  const { app } = looked;
  if (!labels.every((some) => some.some((label) => app.labels.includes(label)))) return false;
  if (environment && !looked.places.some(([name]) => environment.includes(name))) return false;
  if (status && !status.includes(looked.statusIn(environment))) return false;
  return !words.length || isFound(words, app, () => looked.places);
}

/** How many apps each filter would find, together with the other filters: from memory, with one query for the names. */
export async function counted({ supervisor, parts, params }: ActionContext): Promise<Answer> {
  const { rest, ...ours } = splitFilter(params.filter);
  const names = await parts.appRepository.names(filtering(rest, APP), ANY_ORDER);
  const found: AppCounts = { statuses: {}, environments: {}, labels: {} };
  const count = <K extends string>(counts: Partial<Record<K, number>>, key: K) => {
    counts[key] = (counts[key] ?? 0) + 1;
  };
  for (const each of lookedAt(supervisor, names)) {
    if (isMatch(each, { ...ours, status: null })) count(found.statuses, each.statusIn(ours.environment));
    if (isMatch(each, { ...ours, status: null, environment: null }))
      for (const [name, { status }] of each.places)
        if (!ours.status || ours.status.includes(status)) count(found.environments, name);
    if (isMatch(each, ours)) for (const label of each.app.labels) count(found.labels, label);
  }
  return { data: found };
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
  const found: Record<string, string[][]> = { status: [], environment: [], label: [], search: [] };
  const without = (part: unknown): unknown => {
    if (!isFilter(part)) return part;
    return Object.fromEntries(
      Object.entries(part).flatMap(([key, value]): Array<[string, unknown]> => {
        if (Object.hasOwn(found, key)) {
          found[key].push(valuesOf(key, value));
          return [];
        }
        if (key !== '$and' || !Array.isArray(value)) return [[key, value]];
        const others = value.map(without).filter((other) => isFilter(other) && Object.keys(other).length);
        return others.length ? [[key, others]] : [];
      }),
    );
  };
  return {
    rest: (without(filter) ?? {}) as Filter,
    // Of several, the last one.
    status: found.status.at(-1) ?? null,
    environment: found.environment.at(-1) ?? null,
    labels: found.label,
    words: found.search.flat().flatMap(wordsOf),
  };
}
