import { z } from 'zod';
import { APP, type AppOptions, appConnection, environmentName, labels } from '../../../shared/app';
import type { In, NewIn } from '../../../shared/fields';
import { type InputCode, isInputCode, type Message, say } from '../../../shared/message';
import { USERNAME } from '../../../shared/names';
import { VIEW } from '../../../shared/view';
import { DB_CONN_TYPES, type DbConnType, DRAIN_MODES } from '../../../shared/words';
import { AppSupervisorError } from '../../errors';
import { DEFAULT_PASSWORD } from '../../protocol/administrator';
import { inputOf, inputsIn } from './input-schema';

/**
 * The parameters of the HTTP API. Everything else is refused with its name, and changes nothing. The text of an issue
 * is a code (`INPUT_…`).
 */

const environment = inputOf(environmentName);
const environments = inputOf(APP.environments.type);
const options = inputOf(APP.options.type);

/** The server and its credentials: the app defines them for a separate connection, otherwise the environment does. */
const SERVER = ['dialect', 'host', 'port', 'username', 'password'] as const;
const REQUIRED = ['host', 'username', 'database', 'dialect'] as const;

/** Settings that a connection of this kind lacks, or must not have because they belong to the environment. */
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
  { dbConnType = 'new_database', database }: Pick<AppOptions, 'dbConnType' | 'database'>,
  ctx: z.RefinementCtx,
) => {
  for (const { field, problem } of serverProblems(dbConnType, database))
    ctx.addIssue({ code: 'custom', path: ['database', field], message: problem });
};

/** A setting of 0.1.0. */
const gone = { independentSecret: z.never('INPUT_SECRET_GONE').optional() };

/** @typeParam T the object of these fields; zod cannot derive it from a computed shape */
const appInput = <T>(shape: Record<string, z.ZodType>): z.ZodType<T> =>
  z.strictObject(shape).superRefine((value: Partial<In<typeof APP, 'update'>>, ctx) => {
    if (value.targetEnvironment && value.environments && !value.environments.includes(value.targetEnvironment)) {
      ctx.addIssue({ code: 'custom', path: ['targetEnvironment'], message: 'INPUT_TARGET' });
    }
  }) as unknown as z.ZodType<T>;

/** Omitted fields are filled in (protocol/administrator.ts). */
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
  ...inputsIn(APP, 'create'),
  ...gone,
  options: options.superRefine(ofItsKind).optional(),
  name: inputOf(APP.name.type).optional(),
};

/** The parameters of `apps:previewCreate`. @see appNameFor */
export const previewCreateInput = z.strictObject({
  title: z.string().max(255).default(''),
  seed: z.string().max(64).optional(),
});

/** An app as requested. One without a name or environments gets them (requests/creation.ts). */
type RequestedApp = Omit<NewIn<typeof APP>, 'name'> & { name?: string };
export type CreateInput = RequestedApp & { initialAdmin?: z.infer<typeof initialAdmin> };
export const createInput = appInput<CreateInput>({ ...newApp, initialAdmin: initialAdmin.optional() });

export const adoptInput = appInput<RequestedApp>({
  ...newApp,
  initialAdmin: z.never('INPUT_ADMIN_OF_ADOPTED').optional(),
});

/** Which `options` are valid depends on the current app: `changedDatabase` (database-settings.ts) checks both. */
export type UpdateInput = Partial<In<typeof APP, 'update'>>;
export const updateInput = appInput<UpdateInput>({ ...inputsIn(APP, 'update'), ...gone });

/**
 * The parameters of `apps:checkDatabase`; `name` stands for the names derived from it. A stored password is never used:
 * the check uses only what the request contains.
 */
export const checkInput = z
  .strictObject({
    environment: environment.optional(),
    name: inputOf(APP.name.type).optional(),
    dbConnType: z.enum(DB_CONN_TYPES).default('new_database'),
    database: inputOf(appConnection).optional(),
  })
  .superRefine(ofItsKind);
export type CheckInput = z.infer<typeof checkInput>;

const someLabels = inputOf(labels).default([]);
/** The parameters of `apps:label`. */
export const labelInput = z.strictObject({ add: someLabels, remove: someLabels });

/** The parameters of `apps:configure`: settings that several apps can share. */
const { startMode, failover, failoverDelay, failback } = inputsIn(APP, 'update');
export const configureInput = appInput<
  Partial<Pick<UpdateInput, 'startMode' | 'failover' | 'failoverDelay' | 'failback'>>
>({ startMode, failover, failoverDelay, failback });

/** The parameters of `apps:databaseSize`. */
export const sizeInput = z.object({ environment: environment.optional() });

export const logsInput = z.object({
  environment: environment.optional(),
  lines: z.coerce.number().int().min(1).max(1000).default(100),
  /** In ms since 1970. */
  until: z.coerce.number().int().nonnegative().optional(),
});

/** multi-app-manager's own format (Migrate.tsx:70). */
export const migrateInput = z.object({
  appNames: z.array(z.string().min(1)).min(1).max(1000),
  environments: environments.optional(),
});

/** `onFailure`: whether an environment that fails ends the operation, or the others continue. */
export const commandInput = z.object({ onFailure: z.enum(['stop', 'continue']).optional() });

/** Where apps move: `from` by default the target environment of each; `to` by default as placement proposes. */
export const moveInput = z.strictObject({ from: environment.optional(), to: environment.optional() });

export const drainInput = z.strictObject({ mode: z.enum(DRAIN_MODES).default('move'), to: environment.optional() });
export const uncordonInput = z.strictObject({ bringHome: z.boolean().default(false) });
/** `move`: its apps without another environment are moved first. */
export const forgetInput = z.strictObject({ move: z.boolean().default(false), to: environment.optional() });

export const destroyInput = z.object({ database: z.enum(['keep', 'drop']).default('keep') });

/** The parameters of `apps:restore`. */
export const restoreInput = z.strictObject({ environments: environments.optional() });

/** The parameters of `appViews:create`. */
export const newViewInput = z.strictObject({ name: inputOf(VIEW.name.type), address: inputOf(VIEW.address.type) });
export const viewInput = newViewInput.partial();

/** One or several names, as in `filterByTk`. */
export const namesInput = z
  .union([z.string().min(1), z.array(z.string().min(1)).min(1).max(1000)], 'INPUT_SOME')
  .transform((value) => (Array.isArray(value) ? value : value.split(',').filter(Boolean)));

/** @param field that has to be another one */
export const invalid = (field: string, problem: InputCode): AppSupervisorError =>
  new AppSupervisorError('INVALID_INPUT', { problem: say(problem, { field }) }, field);

/**
 * Parses input of the API.
 * @param name of the whole input, if it is one field
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
