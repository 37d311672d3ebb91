import type { Context, Next } from '@nocobase/actions';
import type { z } from 'zod';
import { hostIn } from '../../../shared/origins';
import { AppSupervisorError, answerOf, type ErrorCode } from '../../errors';
import type { Caller } from '../../protocol/administrator';
import { invalid, parseInput } from '../definitions/input';
import type { Permissions } from '../definitions/permissions';
import type { AppDefinition } from '../definitions/repository';
import type { SupervisorPart } from '../supervisor';
import type { ROWS } from './openapi-schemas';

/** A request, and the managing services. */
export interface ActionRequest {
  ctx: Context;
  supervisor: SupervisorPart;
  userId: string | null;
  caller: Caller;
  may: Permissions;
  /** The request's body. */
  values: Record<string, unknown>;
  params: Record<string, any>;
}

/** The arguments of an action. What of them is invalid is refused as it is used. @typeParam I of its body */
export interface ActionContext<I = unknown> extends ActionRequest {
  /** @throws AppSupervisorError NOT_READY */
  readonly parts: SupervisorPart['parts'];
  readonly input: I;
  /** What it is about, which every action needs except lists and `create`. */
  readonly name: string;
  /** The app of this name. @throws AppSupervisorError UNKNOWN_APP, NOT_READY */
  readonly app: AppDefinition;
}

export interface Answer {
  data: unknown;
  meta?: object;
}

/** Answered as a file. */
export interface FileAnswer {
  /** Its name. */
  file: string;
  type: string;
  content: string;
}

/** An action of the HTTP API: what its documentation says of it, and what it does. @typeParam B of its body */
export interface Action<B extends z.ZodType = z.ZodType> extends Described {
  body?: B;
  // A method: the table holds actions with any body.
  work(context: ActionContext<z.infer<B>>): Promise<Answer | FileAnswer>;
}

/** What is documented of an action. */
export interface Described {
  summary: string;
  /** The method, if it changes nothing. Absent: it changes data. */
  reads?: 'get' | 'post';
  query?: Record<string, string>;
  body?: z.ZodType;
  gives: string;
  /** The content of `data`, if it is a row or a list of rows. */
  rows?: keyof typeof ROWS | [keyof typeof ROWS];
  /** In addition to those of every action of its kind. */
  errors?: ErrorCode[];
}

export const action = <B extends z.ZodType>(given: Action<B>): Action => given as unknown as Action;

export function perform({ body, work }: Action, request: ActionRequest): Promise<Answer | FileAnswer> {
  const { supervisor, values, params } = request;
  return work({
    ...request,
    get parts() {
      return supervisor.parts;
    },
    get input() {
      return body && parseInput(body, values);
    },
    get name() {
      return targetOf(params);
    },
    get app() {
      return knownApp(supervisor, targetOf(params));
    },
  });
}

/** @throws AppSupervisorError UNKNOWN_APP, NOT_READY */
export function knownApp(supervisor: SupervisorPart, name: string): AppDefinition {
  const app = supervisor.app(name);
  if (!app) throw new AppSupervisorError(supervisor.loaded ? 'UNKNOWN_APP' : 'NOT_READY', { app: name });
  return app;
}

/** What the snippet Security has, and no action is. */
export const CHANGE_SIGN_IN = { resource: 'apps', action: 'changeSignIn' };
/** The core's ACL has put `can` there, for the role of the request. */
const permissionsOf = (ctx: Context): Permissions => ({
  security: Boolean(ctx.can?.({ ...CHANGE_SIGN_IN })),
  hosts: HOSTS.flatMap((header) => ctx.get(header).split(',')).flatMap((host) => hostIn(host.trim()) ?? []),
});
/** Whoever sends them: none of them gives anybody anything. */
const HOSTS = ['Host', 'X-Forwarded-Host', 'X-Hostname'];

const MAY_CHANGE = new Set(['POST', 'PUT', 'PATCH', 'DELETE']);

/**
 * One HTTP action. Coded errors become `{errors: [{code, params, message, field?}]}` with their status and an English
 * `message`; the core answers all other errors. An action that changes data refuses every other method than these:
 * a link or an image can send GET, and the core runs an action by HEAD and OPTIONS, too.
 */
export function served(given: Action, supervisor: () => SupervisorPart) {
  return async (ctx: Context, next: Next) => {
    ctx.withoutDataWrapping = true;
    try {
      if (!given.reads && !MAY_CHANGE.has(ctx.method)) {
        ctx.set('Allow', 'POST');
        throw new AppSupervisorError('METHOD_NOT_ALLOWED');
      }
      const user = ctx.state?.currentUser;
      // The names of a thousand apps are too long for an address.
      const { filterByTk, ...values } = ctx.action.params.values ?? {};
      const answer = await perform(given, {
        ctx,
        supervisor: supervisor(),
        userId: user?.id === undefined || user?.id === null ? null : String(user.id),
        caller: { username: user?.username, email: user?.email },
        may: permissionsOf(ctx),
        values,
        params: filterByTk === undefined ? ctx.action.params : { ...ctx.action.params, filterByTk },
      });
      if ('file' in answer) {
        ctx.attachment(answer.file);
        ctx.type = answer.type;
        ctx.body = answer.content;
      } else {
        ctx.body = answer;
      }
    } catch (error) {
      if (!(error instanceof AppSupervisorError)) throw error;
      ctx.status = error.status;
      ctx.body = answerOf(error);
    }
    await next();
  };
}

/**
 * The core answers 500 to an `update` or `destroy` without a target (validate-filter-params.js:42), before it checks
 * permissions: an empty list passes that check, and is then refused as in any other action.
 */
export async function allowMissingTarget({ action }: { action?: Context['action'] }, next: Next): Promise<void> {
  const { resourceName, actionName, params } = action as Context['action'];
  if (
    ['apps', 'appNotifiers', 'appViews'].includes(resourceName) &&
    (actionName === 'update' || actionName === 'destroy')
  )
    params.filterByTk ||= [];
  await next();
}

/** Parameters of a list. */
export const LIST = {
  filter: 'NocoBase filter.',
  sort: 'Fields; `-` before one turns it round.',
  page: 'From 1 on.',
  pageSize: 'At most 200.',
};

/** Which lines of a log. */
export const LOG_LINES = {
  lines: '1 to 1000; default 100.',
  until: 'Only lines until this time, in ms since 1970.',
};

/** Answers of several resources. */
export const RESET = '`{username, email, password, unconfirmed: [environment]}`; the password is in this answer only.';
export const MOVED =
  '`{operations, refused: [{app, code, params, message}]}`, for several apps with the id of their `batch`: what was begun, and what cannot be moved, with its reason.';

/** `page` and `pageSize` as the core reads them, limited. */
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

/** `sort` as a list of allowed fields. */
export function sorting(value: unknown, allowed: readonly string[], fallback: string[]): string[] {
  const wanted = (Array.isArray(value) ? value : typeof value === 'string' ? value.split(',') : []).filter(
    (field): field is string => typeof field === 'string' && allowed.includes(field.replace(/^-/, '')),
  );
  return wanted.length ? wanted : fallback;
}

function targetOf(params: Record<string, any>): string {
  const { filterByTk } = params;
  // No name has a zero byte, and PostgreSQL no text.
  if (typeof filterByTk === 'string' && filterByTk !== '' && !filterByTk.includes('\0')) return filterByTk;
  throw invalid('filterByTk', 'INPUT_ONE');
}
