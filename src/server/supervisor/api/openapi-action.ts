import type { z } from 'zod';
import { type ErrorCode, statusOf } from '../../errors';
import { bodySchema } from './openapi-schemas';

/** An action of the HTTP API. @typeParam R names of rows */
export interface DescribedAction<R extends string = string> {
  summary: string;
  method?: 'get' | 'post';
  query?: Record<string, string>;
  body?: z.ZodType;
  gives: string;
  /** The content of `data`, if it is a row or a list of rows. */
  rows?: R | [R];
  /** In addition to those of every action of its kind. */
  errors?: ErrorCode[];
}

/** Parameters of a list. */
export const LIST = {
  filter: 'NocoBase filter.',
  sort: 'Fields; `-` before one turns it round.',
  page: 'From 1 on.',
  pageSize: 'At most 200.',
};

/** Answers of several resources. */
export const RESET = '`{username, email, password, unconfirmed: [environment]}`; the password is in this answer only.';
export const MOVED =
  '`{operations, refused: [{app, code, params, message}]}`: what was begun, and what cannot be moved, with its reason.';

const isReading = (name: string) => name === 'list' || name === 'get';

/** Resources that a process offers only if it manages apps. */
const MANAGED = [
  'apps',
  'appEnvironments',
  'appContainers',
  'appOperations',
  'appViews',
  'appEvents',
  'appNotifiers',
  'appFleet',
];

/** By status, the errors of an action; the core itself answers 401 and 403. */
function refusals({ method, query, body, errors = [] }: DescribedAction, resource: string, name: string) {
  const isManaged = MANAGED.includes(resource);
  const codes = new Set<string>([
    ...(isManaged && (query || body) ? ['INVALID_INPUT'] : []),
    ...errors,
    ...(isManaged ? ['NOT_ON_THIS_PART', 'NOT_READY'] : []),
  ]);
  const byStatus = new Map<number, string[]>([
    [401, ['Not signed in, or not any more.']],
    ...(resource === 'appEntries' ? [] : [[403, ['The role has no permission (`pm.app-supervisor`).']] as const]),
    ...(isManaged && !method && !isReading(name) ? [[405, ['METHOD_NOT_ALLOWED']] as const] : []),
  ] as Array<[number, string[]]>);
  for (const code of codes) {
    const status = statusOf(code as ErrorCode);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return byStatus;
}

function answerOf(rows: NonNullable<DescribedAction['rows']>) {
  const row = (name: string) => ({ $ref: `#/components/schemas/${name}` });
  const data = Array.isArray(rows) ? { type: 'array', items: row(rows[0]) } : row(rows);
  return { content: { 'application/json': { schema: { type: 'object', properties: { data } } } } };
}

/** An action as a path item of OpenAPI. */
export function describe(action: DescribedAction, resource: string, name: string) {
  const { summary, method, query, body, gives, rows } = action;
  const verb = method ?? (isReading(name) ? 'get' : 'post');
  const byStatus = refusals(action, resource, name);
  return {
    [verb]: {
      tags: [resource],
      summary,
      parameters: Object.entries(query ?? {}).map(([key, description]) => ({
        name: key,
        in: 'query',
        required: key === 'filterByTk',
        description,
        schema: { type: 'string' },
      })),
      ...(body
        ? {
            requestBody: {
              content: {
                'application/json': { schema: bodySchema(body) },
              },
            },
          }
        : {}),
      responses: {
        200: { description: `\`{data, meta?}\`: ${gives}`, ...(rows ? answerOf(rows) : {}) },
        ...Object.fromEntries(
          [...byStatus].map(([status, codes]) => [
            status,
            {
              description: codes.join(', '),
              content: { 'application/json': { schema: { $ref: '#/components/schemas/appSupervisorErrors' } } },
            },
          ]),
        ),
      },
    },
  };
}
