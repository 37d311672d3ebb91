import { createHash } from 'node:crypto';
import english from '../locale/en-US.json';
import chinese from '../locale/zh-CN.json';
import { failed, type Message, type Names, type Param, type Params, render } from '../shared/message';

/**
 * Every coded error, on one screen. A code never changes its meaning. `[status, params]`: the HTTP status of the
 * answer, and the params of the text, which is in src/locale (`message.<CODE>`): it says what happened, to what, and
 * what to do.
 */
const CODES = {
  // input
  INVALID_INPUT: [400, 'problem'],
  PASSWORD_REQUIRED: [400, 'app'],
  UNKNOWN_APP: [404, 'app'],
  UNKNOWN_ENVIRONMENT: [404, 'environment'],
  ENVIRONMENT_ALIVE: [409, 'environment'],
  ADDRESS_DIFFERS: [409, 'environment address'],
  NOT_ADMITTED: [409, 'environment'],
  UNKNOWN_OPERATION: [404, 'operation'],
  UNKNOWN_VIEW: [404, 'view'],
  UNKNOWN_BATCH: [404, 'batch'],
  BATCH_UNDER_WAY: [409, ''],
  NAME_TAKEN: [409, 'app'],
  DROP_PENDING: [409, 'app'],
  DELETION_PENDING: [409, 'app'],
  DOMAIN_TAKEN: [409, 'domain app'],
  DOMAIN_OF_WORKER: [409, 'domain environment'],
  PUBLIC_URL_MISSING: [409, ''],
  NO_PLACE: [409, 'cause'],
  ENVIRONMENT_CORDONED: [409, 'environment'],
  NOT_CORDONED: [409, 'environment'],
  NOT_IN_ENVIRONMENT: [409, 'app environment'],
  SERVED_NOWHERE_ELSE: [409, 'app environment'],
  ALREADY_IN_ENVIRONMENT: [409, 'app environment'],
  OPERATION_BEGUN: [409, 'app action environment'],
  OPERATION_OVER: [409, 'operation'],
  OPERATION_SUPERSEDED: [409, 'app operation'],
  NOT_READY: [503, ''],
  FORMER_SUPERVISOR: [503, 'instance'],
  REDIS_UNREACHABLE: [503, ''],
  LEAVING: [503, ''],
  NOT_ON_THIS_PART: [409, 'part'],
  METHOD_NOT_ALLOWED: [405, ''],
  NEEDS_SECURITY: [403, 'field'],
  // configuration
  KEY_MISSING: [500, 'app key'],
  KEY_DIFFERS: [409, 'environment variable'],
  OUTDATED: [409, 'environment'],
  // releases (supervisor/fleet/compatibility.ts)
  VERSION_DIFFERS: [409, 'environment version supervisor'],
  PATCH_DIFFERS: [409, 'environment version supervisor'],
  PLUGINS_MISSING: [409, 'owner plugins'],
  PLUGINS_DIFFER: [409, 'owner plugins'],
  PLUGINS_ABSENT: [409, 'owner environment plugins'],
  INITIAL_ADMIN_UNKNOWN: [409, 'environment'],
  ENVIRONMENTS_DIFFER: [409, 'one other what here there'],
  // an app's database
  DATABASE_TAKEN: [409, 'environment cause remedy'],
  DATABASE_ADOPTABLE: [409, 'environment cause'],
  DATABASE_UNUSABLE: [409, 'environment cause remedy'],
  DATABASE_UNREACHABLE: [502, 'server cause'],
  DATABASE_SIGN_IN: [502, 'server user cause'],
  DATABASE_ROLE_DENIED: [409, 'user server sql'],
  DATABASE_ROLE_UNKNOWN: [409, 'environment'],
  DATABASE_NOT_OWNED: [409, 'app object server role what'],
  DATABASE_NOT_OURS: [409, 'app object server user what'],
  DATABASE_CREATE_DENIED: [502, 'user object server sql'],
  DATABASE_NAME_INVALID: [400, 'value what'],
  DATABASE_MISSING: [409, 'object app server'],
  DATABASE_FOREIGN: [409, 'object server app'],
  DATABASE_OTHER_APP: [409, 'object server owner uid sql'],
  DATABASE_UNMARKED: [409, 'object server app'],
  DATABASE_RESERVED: [409, 'object server owner'],
  DATABASE_NOT_EMPTIED: [409, 'app object server why'],
  DATABASE_DIALECT: [400, 'dialect why'],
  DATABASE_FAILED: [502, 'server cause'],
  LOCK_BUSY: [409, 'app seconds'],
  LOCK_POOLED: [409, 'server app'],
  LOCK_LOST: [502, 'app'],
  HOSTING_TAKEN: [409, 'app environment'],
  HOSTING_LOST: [409, 'environment'],
  HOSTING_HELD: [409, 'app environment sessions server'],
  // running an app
  APP_START_FAILED: [500, 'app cause'],
  APP_NOT_RUNNING: [409, 'app'],
  ADMIN_MISSING: [409, 'app'],
  APP_TOO_NEW: [409, 'app data core'],
  APP_UPGRADE_FORBIDDEN: [409, 'app data core'],
  APP_CRASH_LOOP: [500, 'app times cause'],
  APP_STUCK: [504, 'app seconds at'],
  APP_STOPS_LOOP: [500, 'app environment seconds work'],
  // what a hosted app may not do (guards)
  PLUGINS_BY_OPERATOR: [403, ''],
  MCP_PROGRAM: [403, ''],
  TASK_CHANGE: [403, ''],
  TASK_FILE: [403, ''],
  LICENSE_BY_OPERATOR: [403, ''],
  STORAGE_PATH_LEAVES: [400, ''],
  FILE_NOT_OF_APP: [404, ''],
  STORAGE_KEYS_MISSING: [400, ''],
  PLUGIN_REFUSED: [403, 'plugin'],
  PLUGIN_KEPT: [403, 'plugin'],
  RESTORE_BY_OPERATOR: [403, ''],
  BACKUP_BY_OPERATOR: [403, ''],
  BACKUP_FILE: [403, ''],
  IMAGE_ADDRESS: [400, ''],
  FORMULA_ASYNC: [400, ''],
  TOOK_TOO_LONG: [400, 'ms'],
  TOO_MANY_RESTARTS: [429, 'app seconds'],
  GUARD_MISSING: [500, 'what'],
  OWN_SIGN_IN_OFF: [403, 'app'],
  // containers of Workers
  ENGINE_OFF: [409, ''],
  ENGINE_FAILED: [502, 'cause'],
  CONTAINER_EXISTS: [409, 'environment'],
  UNKNOWN_CONTAINER: [404, 'environment'],
  VOLUME_FOREIGN: [409, 'volume'],
  VOLUME_NEEDED: [409, 'environment apps'],
  // requests to a worker
  WORKER_SILENT: [504, 'environment seconds'],
  WORKER_FAILED: [502, 'environment cause'],
  UNKNOWN_REQUEST: [502, 'request'],
  CLOCKS_DIFFER: [502, 'minutes'],
  // commands of other plugins
  COMMAND_UNKNOWN: [400, 'action known'],
  COMMAND_ELSEWHERE: [403, 'action app environment'],
  TOO_MANY_COMMANDS: [429, 'environment seconds'],
  SUPERVISOR_SILENT: [504, 'seconds'],
  SUPERVISOR_REFUSED: [409, 'cause'],
} as const satisfies Record<string, readonly [number, string]>;

export type ErrorCode = keyof typeof CODES;
type ParamsOf<C extends ErrorCode> = Names<(typeof CODES)[C][1]>;
/** `params` may be omitted if the text has none. */
type Rest<C extends ErrorCode> = [ParamsOf<C>] extends [never]
  ? [params?: Record<string, never>, field?: string]
  : [params: Record<ParamsOf<C>, Param>, field?: string];

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(CODES, code);

/** The HTTP status of a code. */
export const statusOf = (code: ErrorCode): number => CODES[code][0];

/** By code, the names of the params of its text. */
export const ERROR_PARAMS: Record<string, string> = Object.fromEntries(
  Object.entries(CODES).map(([code, [, names]]) => [code, names]),
);

type Texts = Record<string, string>;

const renderIn = (texts: Texts, message: Message): string =>
  render(
    (key, params) => (texts[key] ?? key).replace(/\{\{(\w+)\}\}/g, (whole, name) => String(params[name] ?? whole)),
    message,
  );

/** A message in English: for logs, terminals and readers of `message` in an answer. */
export const inEnglish = (message: Message): string => renderIn(english, message);

/** A message for somebody who reads NocoBase in this language, such as `zh-CN`: in English if there is no other text. */
export const inLanguage = (language: string, message: Message): string =>
  renderIn(/^zh\b/i.test(language) ? chinese : english, message);

/**
 * An error with code and params, which are rendered in the reader's language. `field` names the input that it belongs
 * to.
 */
export class AppSupervisorError<C extends ErrorCode = ErrorCode> extends Error {
  readonly status: number;
  readonly params: Params;
  readonly field?: string;
  /** Further errors in the same request. */
  more: AppSupervisorError[] = [];

  constructor(
    readonly code: C,
    ...[params, field]: Rest<C>
  ) {
    super(inEnglish({ code, params }));
    this.name = 'AppSupervisorError';
    this.params = params ?? {};
    this.field = field;
    this.status = CODES[code][0];
  }
}

export const fail = <C extends ErrorCode>(code: C, ...rest: Rest<C>): never => {
  throw new AppSupervisorError(code, ...rest);
};

/** The same error, for an input field. */
export function withField(field: string, error: AppSupervisorError): AppSupervisorError {
  return Object.assign(Object.create(error) as AppSupervisorError, { field });
}

/** The body of an error answer, with all errors of one request; `message` is in English. */
export function answerOf(error: AppSupervisorError): { errors: object[] } {
  const errors = [error, ...error.more].map(({ code, params, message, field }) => ({
    code,
    params,
    message,
    ...(field ? { field } : {}),
  }));
  return { errors };
}

/** The text of any thrown value: a driver may throw an `AggregateError` with an empty message. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && !error.message) {
    return error.errors.map(messageOf).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}

/** Whether a thrown value is the error of this code. */
export const hasCode = (error: unknown, code: ErrorCode): boolean =>
  error instanceof AppSupervisorError && error.code === code;

/** Any thrown value as a message for a status or a step. */
export function describeError(error: unknown): Message {
  if (error instanceof AppSupervisorError) return { code: error.code, params: error.params };
  return failed(messageOf(error));
}

/** Letters and digits that are not taken for each other. */
const ALPHABET = '23456789ABCDEFGHJKMNPQRSTVWXYZ';
const REFERENCE_LENGTH = 8;

/**
 * A reference to a cause that visitors do not see. The same for the same app and cause in every process: the Worker tells
 * visitors, and the Supervisor records it.
 */
export function referenceOf(app: string, cause: Message): string {
  const digest = createHash('sha256').update(app).update(canonical(cause)).digest();
  return [...digest.subarray(0, REFERENCE_LENGTH)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

/** Without the order of the params, which a message may lose on its way. */
const canonical = (value: unknown): string =>
  JSON.stringify(value, (_, part) =>
    part && typeof part === 'object' ? Object.fromEntries(Object.entries(part).sort()) : part,
  );
