import { randomBytes } from 'node:crypto';
import { z } from 'zod';
import { type InputCode, isInputCode, type Message, say } from '../../../shared/message';
import {
  APP_NAME,
  DOMAIN,
  ENVIRONMENT_NAME,
  RESERVED_APP_NAMES,
  SCHEMA_NAME,
  SQL_IDENTIFIER,
  USERNAME,
} from '../../../shared/names';
import type { DbConnType } from '../../../shared/types';
import { isHost } from '../../databases/connection';
import { AppSupervisorError } from '../../errors';
import { DEFAULT_PASSWORD } from '../../protocol/administrator';

/** What the HTTP API takes; everything else is refused by name, and changes nothing. The text of an issue is a code (`INPUT_…`). */

/** Largest icon, in characters: a data URI of a 128 px picture. */
const ICON_LENGTH = 48 * 1024;

const name = z
  .string()
  .regex(APP_NAME, 'INPUT_NAME')
  .refine((value) => !RESERVED_APP_NAMES.has(value.toLowerCase()), 'INPUT_NAME_RESERVED');
const environment = z.string().regex(ENVIRONMENT_NAME, 'INPUT_ENVIRONMENT');
const environments = z
  .array(environment)
  .min(1, 'INPUT_NO_ENVIRONMENT')
  .refine((value) => new Set(value).size === value.length, 'INPUT_TWICE');
/** Of an icon that NocoBase brings. */
export const ICON_NAME = /^[A-Za-z]{1,64}$/;
const icon = z
  .string()
  .max(ICON_LENGTH, 'INPUT_ICON_SIZE')
  .refine((value) => /^data:image\/(png|jpeg|webp);base64,[A-Za-z0-9+/=]+$/.test(value) || ICON_NAME.test(value), {
    message: 'INPUT_ICON',
  });
/** An empty string in a form means "none". */
const emptyToNull = <T extends z.ZodType>(schema: T) =>
  z.preprocess((value) => (value === '' ? null : value), schema.nullable());

const database = z.strictObject({
  dialect: z.enum(['postgres', 'mysql', 'mariadb', 'kingbase']).optional(),
  host: z
    .string()
    .trim()
    .max(253)
    .refine((value) => value === '' || isHost(value), 'INPUT_HOST')
    .optional(),
  port: z.coerce.number().int().min(1).max(65535).optional(),
  username: z.string().max(128).optional(),
  password: z.string().max(1024).optional(),
  database: z.string().regex(SQL_IDENTIFIER, 'INPUT_IDENTIFIER').optional(),
  schema: z.string().regex(SCHEMA_NAME, 'INPUT_SCHEMA').optional(),
  tablePrefix: z
    .string()
    .regex(/^[A-Za-z][A-Za-z0-9_]{0,19}$/, 'INPUT_PREFIX')
    .or(z.literal(''))
    .optional(),
});
const options = z.strictObject({
  dbConnType: z.enum(['new_database', 'new_connection', 'new_schema']).optional(),
  database: database.optional(),
  sso: z
    .strictObject({
      enabled: z.boolean().optional(),
      autoSignup: z.boolean().optional(),
      issuer: z.string().max(500).optional(),
    })
    .optional(),
});

/** Which server, and who signs in there: the app's own to say where the connection is its own, else the environment's. */
const SERVER = ['dialect', 'host', 'port', 'username', 'password'] as const;
const REQUIRED = ['host', 'username', 'database', 'dialect'] as const;

/** What a connection of this kind lacks, or has although it belongs to the environment. */
export function serverProblems(
  dbConnType: DbConnType,
  database: Partial<Record<(typeof SERVER)[number] | (typeof REQUIRED)[number], unknown>> = {},
): Array<{ field: string; problem: InputCode }> {
  if (dbConnType === 'new_connection') {
    const missing = REQUIRED.filter((field) => !database[field]);
    return missing.map((field) => ({ field, problem: 'INPUT_OWN_CONNECTION' }));
  }
  const given = SERVER.filter((field) => database[field] !== undefined && database[field] !== '');
  return given.map((field) => ({
    field,
    problem: 'INPUT_OF_ENVIRONMENT',
  }));
}

const ofItsKind = (
  { dbConnType = 'new_database', database }: Pick<z.infer<typeof options>, 'dbConnType' | 'database'>,
  ctx: z.RefinementCtx,
) => {
  for (const { field, problem } of serverProblems(dbConnType, database))
    ctx.addIssue({ code: 'custom', path: ['database', field], message: problem });
};

const settings = {
  title: z.string().trim().min(1, 'INPUT_REQUIRED').max(200),
  icon: emptyToNull(icon).optional(),
  cname: emptyToNull(z.string().trim().toLowerCase().regex(DOMAIN, 'INPUT_DOMAIN')).optional(),
  environments: environments.optional(),
  targetEnvironment: emptyToNull(environment).optional(),
  startMode: z.enum(['onVisit', 'withMain']).optional(),
  autoUpgrade: z.boolean().optional(),
  independentSecret: z.never('INPUT_SECRET_GONE').optional(),
  pinned: z.boolean().optional(),
  hidden: z.boolean().optional(),
  options: options.optional(),
};
const targetIsAssigned = (
  value: { environments?: string[]; targetEnvironment?: string | null },
  ctx: z.RefinementCtx,
) => {
  if (value.targetEnvironment && value.environments && !value.environments.includes(value.targetEnvironment)) {
    ctx.addIssue({ code: 'custom', path: ['targetEnvironment'], message: 'INPUT_TARGET' });
  }
};

/** What is left out is filled in (protocol/administrator.ts). */
const initialAdmin = z.strictObject({
  username: z.string().trim().regex(USERNAME, 'INPUT_USERNAME').optional(),
  email: z.email('INPUT_EMAIL').max(255).optional(),
  password: z
    .string()
    .min(8, 'INPUT_PASSWORD_SHORT')
    .max(255, 'INPUT_PASSWORD_LONG')
    .refine((value) => value !== DEFAULT_PASSWORD, 'INPUT_PASSWORD_KNOWN')
    .optional(),
});

const newApp = {
  ...settings,
  options: options.superRefine(ofItsKind).optional(),
  name: name.default(() => `a_${randomBytes(6).toString('hex').slice(0, 10)}`),
};

export const createInput = z
  .strictObject({ ...newApp, initialAdmin: initialAdmin.optional() })
  .superRefine(targetIsAssigned);
export type CreateInput = z.infer<typeof createInput>;

export const adoptInput = z
  .strictObject({
    ...newApp,
    initialAdmin: z.never('INPUT_ADMIN_OF_ADOPTED').optional(),
  })
  .superRefine(targetIsAssigned);

/** What of `options` fits depends on the app as it is: `changedDatabase` (database-settings.ts) sees both. */
export const updateInput = z
  .strictObject({ ...settings, title: settings.title.optional() })
  .superRefine(targetIsAssigned);
export type UpdateInput = z.infer<typeof updateInput>;

/**
 * What `apps:checkDatabase` looks at; `name` stands in for the names that follow from it. A stored password is never part of
 * it: what is checked is what the request brings.
 */
export const checkInput = z
  .strictObject({
    environment: environment.optional(),
    name: name.optional(),
    dbConnType: z.enum(['new_database', 'new_connection', 'new_schema']).default('new_database'),
    database: database.optional(),
  })
  .superRefine(ofItsKind);
export type CheckInput = z.infer<typeof checkInput>;

export const logsInput = z.object({
  environment: environment.optional(),
  lines: z.coerce.number().int().min(1).max(1000).default(100),
});

/** multi-app-manager's own shape (Migrate.tsx:70). */
export const migrateInput = z.object({
  appNames: z.array(z.string().min(1)).min(1).max(1000),
  environments: environments.optional(),
});

/** `onFailure`: whether a step that fails ends the operation, or the other environments go on. */
export const commandInput = z.object({ onFailure: z.enum(['stop', 'continue']).optional() });

export const destroyInput = z.object({ database: z.enum(['keep', 'drop']).default('keep') });

/** One or several names, as `filterByTk` brings them. */
export const namesInput = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(1000)], 'INPUT_SOME')
  .transform((value) => (Array.isArray(value) ? value : value.split(',').filter(Boolean)));

/**
 * Parses input of the API.
 * @param name of the input as a whole, where it is one field
 * @throws AppSupervisorError INVALID_INPUT with the first problem and its field; the others are in `more`
 */
export function parseInput<T extends z.ZodType>(schema: T, value: unknown, name?: string): z.infer<T> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [first, ...more] = parsed.error.issues.map((issue) => inputError(issue, name));
  first.more = more;
  throw first;
}

function inputError(issue: z.core.$ZodIssue, name?: string): AppSupervisorError {
  const unknown = issue.code === 'unrecognized_keys' ? issue.keys.join(', ') : null;
  const field = [...(name ? [name] : []), ...issue.path, ...(unknown ? [unknown] : [])].join('.');
  return new AppSupervisorError('INVALID_INPUT', { problem: problemOf(issue, field) }, field);
}

function problemOf({ code, message }: z.core.$ZodIssue, field: string): Message {
  if (code === 'unrecognized_keys') return say('INPUT_UNKNOWN', { field });
  if (isInputCode(message)) return say(message, { field });
  if (/^Invalid input: .* received undefined$/.test(message)) return say('INPUT_REQUIRED', { field });
  return say('INPUT_INVALID', { field: field || '-', why: message.replace(/^Invalid (input|option): /, '') });
}
