import type { Context, Next } from '@nocobase/actions';
import type { Filter } from '@nocobase/database';
import { say } from '../../../shared/message';
import { AppSupervisorError, answerOf, statusOf } from '../../errors';
import type { Asker } from '../../protocol/administrator';
import type { SupervisorPart } from '../supervisor';

/** What an action gets: the request, and the part that manages. */
export interface ActionContext {
  ctx: Context;
  supervisor: SupervisorPart;
  userId: string | null;
  asker: Asker;
  /** The request's body. */
  values: Record<string, unknown>;
  params: Record<string, any>;
}

export interface Answer {
  data: unknown;
  meta?: object;
}

/**
 * One HTTP action: coded errors become `{errors: [{code, params, message, field?}]}` with their status, `message` in English;
 * everything else is the core's to answer. An action that changes something refuses GET, which a link or an image can send.
 */
export function action(
  changes: boolean,
  work: (context: ActionContext) => Promise<Answer>,
  supervisor: () => SupervisorPart,
) {
  return async (ctx: Context, next: Next) => {
    ctx.withoutDataWrapping = true;
    try {
      if (changes && ctx.method === 'GET') {
        ctx.set('Allow', 'POST');
        ctx.status = statusOf('METHOD_NOT_ALLOWED');
        ctx.body = answerOf(new AppSupervisorError('METHOD_NOT_ALLOWED'));
        return;
      }
      const user = ctx.state?.currentUser;
      ctx.body = await work({
        ctx,
        supervisor: supervisor(),
        userId: user?.id === undefined || user?.id === null ? null : String(user.id),
        asker: { username: user?.username, email: user?.email },
        values: ctx.action.params.values ?? {},
        params: ctx.action.params,
      });
    } catch (error) {
      if (!(error instanceof AppSupervisorError)) throw error;
      ctx.status = error.status;
      ctx.body = answerOf(error);
    }
    await next();
  };
}

/**
 * The core answers 500 to an `update` or `destroy` that names nothing (validate-filter-params.js:42), before it asks who is
 * there: an empty list passes it, and is refused like that of any other action.
 */
export async function letNamelessThrough({ action }: { action?: Context['action'] }, next: Next): Promise<void> {
  const { resourceName, actionName, params } = action as Context['action'];
  if (resourceName === 'apps' && (actionName === 'update' || actionName === 'destroy')) params.filterByTk ||= [];
  await next();
}

/** `page` and `pageSize` as the core reads them, bounded. */
export function paging(params: Record<string, any>): { page: number; pageSize: number } {
  const whole = (value: unknown, fallback: number, most: number) => {
    const number = Math.trunc(Number(value));
    return Number.isFinite(number) && number >= 1 ? Math.min(number, most) : fallback;
  };
  return { page: whole(params.page, 1, 1_000_000), pageSize: whole(params.pageSize, 20, 200) };
}

export const pageMeta = (count: number, page: number, pageSize: number) => ({
  count,
  page,
  pageSize,
  totalPage: Math.ceil(count / pageSize),
});

/** `sort` as a list, of known fields only. */
export function sorting(value: unknown, allowed: readonly string[], fallback: string[]): string[] {
  const wanted = (Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : []).filter(
    (field): field is string => typeof field === 'string' && allowed.includes(field.replace(/^-/, '')),
  );
  return wanted.length ? wanted : fallback;
}

/**
 * A `filter` on known fields only: whoever may ask whether a secret begins with a letter finds it out, one after the other.
 * @throws AppSupervisorError INVALID_INPUT
 */
export function filtering(filter: unknown, allowed: readonly string[]): Filter {
  const other = fieldsOf(filter).find((field) => !allowed.includes(field));
  if (other === undefined) return (filter ?? {}) as Filter;
  const problem = say('INPUT_FILTER_FIELD', { field: other, allowed: allowed.join(', ') });
  throw new AppSupervisorError('INVALID_INPUT', { problem }, 'filter');
}

/** The fields at every level; below one of them there are operators alone, or parts of it. */
function fieldsOf(filter: unknown): string[] {
  if (Array.isArray(filter)) return filter.flatMap(fieldsOf);
  if (!filter || typeof filter !== 'object') return [];
  return Object.entries(filter).flatMap(([key, value]) => (key.startsWith('$') ? fieldsOf(value) : key.split('.')[0]));
}

/** The one thing that a request is about, which every action but lists and `create` needs. */
export function target(params: Record<string, any>): string {
  const { filterByTk } = params;
  if (typeof filterByTk === 'string' && filterByTk !== '') return filterByTk;
  throw new AppSupervisorError('INVALID_INPUT', { problem: say('INPUT_ONE', { field: 'filterByTk' }) }, 'filterByTk');
}
