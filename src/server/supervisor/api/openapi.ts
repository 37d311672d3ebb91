import { type ErrorCode, statusOf } from '../../errors';
import { RESOURCES } from '.';
import type { Described } from './action';
import { bodySchema, ROWS, rowSchema } from './openapi-schemas';

/**
 * The HTTP API as NocoBase's API documentation shows it; generated at build time, with bodies from the schemas that
 * parse them.
 */

const ACTIONS: Record<string, Record<string, Described>> = {
  ...RESOURCES,
  appEntries: {
    list: {
      reads: 'get',
      summary: 'The apps that a signed-in user can open',
      query: {
        place:
          '`switcher`: what is shown in the app switcher, and from inside an app the main app. `action`: all that the user sees, and the main app.',
        client:
          '`v1`: addresses of the classic client, `v2`: of the modern one; by default of the one that `APP_CLIENT_ENTRY_MODE` names.',
      },
      gives:
        '`{name, title, icon, url, target, status, pinned}` each; without `place`, what is not hidden. On a Worker `status` is null for an app that is also, or only, in other environments.',
    },
  },
  appSupervisor: {
    info: {
      summary: 'The role of this instance',
      reads: 'get',
      gives: '`{part, environment, warnings}`; of a worker also `supervisor` and `apps`',
    },
  },
};

/** By status, the errors of an action; the core itself answers 401 and 403. */
function refusals({ reads, query, body, errors = [] }: Described, resource: string) {
  const isManaged = resource in RESOURCES;
  const codes = new Set<string>([
    ...(isManaged && (query || body) ? ['INVALID_INPUT'] : []),
    ...errors,
    ...(isManaged ? ['NOT_ON_THIS_PART', 'NOT_READY'] : []),
  ]);
  const byStatus = new Map<number, string[]>([
    [401, ['Not signed in, or not any more.']],
    ...(resource === 'appEntries' ? [] : [[403, ['The role has no permission (`pm.app-supervisor`).']] as const]),
    ...(isManaged && !reads ? [[405, ['METHOD_NOT_ALLOWED']] as const] : []),
  ] as Array<[number, string[]]>);
  for (const code of codes) {
    const status = statusOf(code as ErrorCode);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  return byStatus;
}

function answerOf(rows: NonNullable<Described['rows']>) {
  const row = (name: string) => ({ $ref: `#/components/schemas/${name}` });
  const data = Array.isArray(rows) ? { type: 'array', items: row(rows[0]) } : row(rows);
  return { content: { 'application/json': { schema: { type: 'object', properties: { data } } } } };
}

/** An action as a path item of OpenAPI. */
function describe(action: Described, resource: string) {
  const { summary, reads, query, body, gives, rows } = action;
  const byStatus = refusals(action, resource);
  return {
    [reads ?? 'post']: {
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

/** An OpenAPI 3 document, without what the core adds to it. */
export const apiDescription = {
  info: { title: 'NocoBase API - App supervisor plugin' },
  paths: Object.fromEntries(
    Object.entries(ACTIONS).flatMap(([resource, actions]) =>
      Object.entries(actions).map(([name, action]) => [`/${resource}:${name}`, describe(action, resource)]),
    ),
  ),
  components: {
    schemas: {
      ...Object.fromEntries(Object.entries(ROWS).map(([name, row]) => [name, rowSchema(row)])),
      appSupervisorErrors: {
        type: 'object',
        properties: {
          errors: {
            type: 'array',
            items: {
              type: 'object',
              properties: {
                code: { type: 'string' },
                params: { type: 'object', description: 'What fills the text of the code.' },
                message: { type: 'string', description: 'In English.' },
                field: { type: 'string', description: 'The input it stands beside.' },
              },
            },
          },
        },
      },
    },
  },
};
