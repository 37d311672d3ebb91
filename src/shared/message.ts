/**
 * A message of the server for people: a code and the params of its text. No zod here, because the pages import this
 * file. The texts are only in `src/locale`, under `message.<CODE>`; server and pages render them from there.
 */
export interface Message {
  code: string;
  params?: Params;
}
/** A message as a param is also rendered in the reader's language. */
export type Param = string | number | Message;
export type Params = Record<string, Param>;

/** A text of another program (NocoBase, a database driver), shown unchanged. */
export const verbatim = (text: string): Message => ({ code: 'VERBATIM', params: { text } });

/** An error without a code of ours. */
export const failed = (cause: string): Message => ({ code: 'FAILED', params: { cause } });

/**
 * Renders a message.
 * @param translate returns the text of `message.<CODE>` in the reader's language, or the key itself if there is none
 */
export function render(
  translate: (key: string, params: Record<string, string | number>) => string,
  message: Message,
): string {
  const params = Object.fromEntries(
    Object.entries(message.params ?? {}).map(([name, value]) => [
      name,
      value && typeof value === 'object' ? render(translate, value) : value,
    ]),
  );
  const key = `message.${message.code}`;
  const text = translate(key, params);
  // A Worker of a newer release may use a code that is unknown here.
  return text === key ? [message.code, ...Object.values(params)].join(' ') : text;
}

/** Every message that is not an error, with the names of the params of its text. Errors are in src/server/errors.ts. */
export const MESSAGES = {
  VERBATIM: 'text',
  FAILED: 'cause',
  NO_CAUSE: '',
  WAITS_FOR_RETURN: 'environment',
  WAITS_FOR_BEGIN: 'environment',
  WAITS_FOR_CONNECTION: '',
  WAITS_FOR_LEAVING: 'environment',
  MOVE_NO_PLACE: '',
  MOVE_PLACE_AWAY: 'environment',
  MOVE_PLACE_NO_VISITORS: 'environment',
  MOVE_DATABASE_ABSENT: 'app environment',
  MOVE_STAYS_STOPPED: '',
  MOVE_UPLOADS_STAY: 'environment',
  MOVE_SOURCE_DOWN: 'environment',
  MOVE_WAITS_FOR_SOURCE: 'environment',
  STATUS_TURN_NOT_COME: '',
  STATUS_DISCONNECTED: '',
  STATUS_DOWN: 'environment',
  STATUS_NO_ANSWER: 'environment',
  CHECKING_DATABASE: '',
  IN_BOOT_QUEUE: 'place',
  WAITS_FOR_LOCK: '',
  RESUMES_INSTALL: '',
  STEP_FORGOTTEN: '',
  STEP_NOT_BEGUN: '',
  STEP_AWAY: '',
  STEP_KEEPS_MARKER: '',
  CANCELLED: '',
  SUPERSEDED: 'action',
  CONTAINER_CREATED: 'environment',
  CONTAINER_STARTED: 'environment',
  CONTAINER_STOPPED: 'environment',
  CONTAINER_RESTARTED: 'environment',
  CONTAINER_UPGRADED: 'environment',
  CONTAINER_REMOVED: 'environment',
  CONTAINER_DIED: 'environment',
  CONTAINER_EXIT: 'code lines',
  CONTAINER_OUT_OF_MEMORY: 'code lines',
  JOIN_REQUESTED: 'environment',
  JOIN_LOOPBACK: 'variable host',
  JOIN_ADDRESS_TAKEN: 'address environment',
  JOIN_NO_DATABASE: 'database cause',
  JOIN_SILENT: 'address',
  JOIN_STARTING: 'address',
  JOIN_JOINING: 'address',
  JOIN_NO_WORKER: 'address',
  JOIN_NO_REDIS: 'address',
  JOIN_STANDBY: 'address environment',
  JOIN_ELSEWHERE: 'address environment',
  JOIN_OTHER_KEY: 'environment',
  JOIN_UNREACHED: 'address cause',
  JOIN_NOT_BROWSER: 'address',
  REACH_THIS_PROCESS: '',
  REACH_WEBSOCKET: '',
  REACH_ANSWERS: 'status',
  REACH_NO_WEBSOCKET: 'status',
  REACH_TIMEOUT: 'seconds',
  REACH_FAILED: 'cause',
  REACH_BROWSER: '',
  REACH_NOT_BROWSER: '',
  DATABASE: 'name',
  SCHEMA: 'schema database',
  FILE: 'name',
  TABLES_IN: 'object',
  ROLE_IN: 'object',
  THIS_MACHINE: '',
  THIS_PROCESS: '',
  OWNER_SERVER: '',
  OWNER_SHARED_SCHEMA: '',
  OWNER_MAIN: '',
  OWNER_OTHER_MAIN: '',
  NAME_OF_DATABASE: '',
  NAME_OF_SCHEMA: '',
  NAME_OF_PREFIX: '',
  DIALECT_UNKNOWN: 'dialects',
  DIALECT_NO_SCHEMAS: '',
  DIALECT_NO_FILE: '',
  NO_ANSWER_WITHIN: 'seconds',
  NO_DATABASE_THERE: '',
  VANISHED: 'object',
  MARKER_VANISHED: 'table',
  INSTALL_WAS_COMPLETE: '',
  INSTALL_WAS_THERE: 'table',
  CHECK_NAMES: '',
  CHECK_REACHABLE: 'server',
  CHECK_SIGNED_IN: 'user',
  CHECK_RESERVED: 'object owner',
  CHECK_NO_DATABASE: 'database',
  CHECK_CREATES: 'object user',
  CHECK_CREATES_TABLES: 'object user',
  CHECK_FREE: '',
  CHECK_OTHER_APP: 'object app uid',
  CHECK_FOREIGN: 'object',
  CHECK_ADOPTABLE: 'version',
  CHECK_OWN: '',
  CHECK_EMPTY: '',
  CHECK_POOLED: 'server',
  CHECK_LOCKS: '',
  REMEDY_OTHER_NAME: '',
  REMEDY_FREE_NAME: 'sql',
  REMEDY_POOL_MODE: '',
  DATA_DROPPED: '',
  DATA_RELEASED: '',
  DATA_KEPT: 'why',
  DATA_KEEPS_MARKER: 'cause',
  KEPT_RESERVED: 'object owner',
  KEPT_UNMARKED: 'object',
  KEPT_OTHER_APP: 'object app uid',
  KEPT_NOT_CREATED: 'object',
  KEPT_TENANT: 'schema object',
  RESTARTING: '',
  STOPPING: '',
  NO_AES_KEY: '',
  ROLE_SHARED: 'user server sql',
  WORKER_SUPERUSER: 'user server',
  DATABASES_OPEN: 'server databases sql',
  APP_SHARES_ROLE: 'app',
  SCRIPT_MODULES_OF_MAIN: '',
  MISSPELT_VARIABLE: 'misspelt',
  SECOND_PROCESS: 'standby',
  SECOND_INSTALLATION: 'standby',
  ORPHANS: 'names',
  FOREIGN_FLEET: '',
  DEFAULT_JWT_SECRET_USED: '',
  APP_ADMIN_KNOWN: 'app',
  APP_ADMIN_LOCKED: 'app',
  WORKER_ADMIN_KNOWN: 'environment url',
  OWN_ADMIN_KNOWN: '',
  REDIS_CLUSTER: '',
  REDIS_EVICTS: 'policy',
  REDIS_FORGED: 'key count',
  ENVIRONMENTS_REFUSED: 'environments',
  REDIS_KEEPS_NOTHING: '',
  WORKER_ENDED: '',
  NO_PROGRESS: '',
  APPS_STUCK: 'environment apps',
  APPS_LEFT: 'environment apps',
  PROCESS_LOCK_POOLED: 'environment',
  ENVIRONMENT_REFUSES: 'url',
  ANSWER_NOT_UNDERSTOOD: '',
  START_ENDED_AS: 'status',
  DRIVER_MISSING: 'driver',
  CONNECTION_HOST: 'app',
  CONNECTION_HOST_DENIED: 'app host',
  WITHOUT_PLUGIN: 'plugin',
  INPUT_REQUIRED: 'field',
  INPUT_INVALID: 'field why',
  INPUT_UNKNOWN: 'field',
  INPUT_NAME: 'field',
  INPUT_NAME_RESERVED: 'field',
  INPUT_NAME_LABEL: 'field',
  INPUT_IDENTIFIER: 'field',
  INPUT_SCHEMA: 'field',
  INPUT_PREFIX: 'field',
  INPUT_ENVIRONMENT: 'field',
  INPUT_NO_ENVIRONMENT: 'field',
  INPUT_TWICE: 'field',
  INPUT_LANGUAGE: 'field',
  INPUT_SIGNUP_ROLE: 'field',
  INPUT_ICON: 'field',
  INPUT_ICON_SIZE: 'field',
  INPUT_DOMAIN: 'field',
  INPUT_OWN_CONNECTION: 'field',
  INPUT_TARGET: 'field',
  INPUT_SECRET_GONE: 'field',
  INPUT_ADMIN_OF_ADOPTED: 'field',
  INPUT_USERNAME: 'field',
  INPUT_EMAIL: 'field',
  INPUT_PASSWORD_SHORT: 'field',
  INPUT_PASSWORD_LONG: 'field',
  INPUT_PASSWORD_KNOWN: 'field',
  INPUT_FIXED: 'field',
  INPUT_ONE: 'field',
  INPUT_SOME: 'field',
  INPUT_FILTER_FIELD: 'field allowed',
  INPUT_FILTER_OPERATOR: 'field',
  MIGRATION_MANAGED: '',
  MIGRATION_UNKNOWN: '',
  MIGRATION_PLUGINS: 'plugins',
  MIGRATION_STANDALONE: '',
  INPUT_HOST: 'field',
  INPUT_HTTP_ADDRESS: 'field',
  INPUT_IMAGE: 'field',
  INPUT_NETWORK: 'field',
  INPUT_SERVER: 'field',
  INPUT_NAME_LIKE: 'field other',
  INPUT_OF_ENVIRONMENT: 'field',
  ENVIRONMENT_DOWN: 'environment',
  ENVIRONMENT_STOPPED: 'environment',
  HOLDER_CHANGED: 'environment instance before',
  APP_FAILED: 'app environment reference',
  APP_CRASHED: 'app environment reference',
  VISITORS_REFERRED: 'app reference',
  OPERATION_FAILED: 'app action',
  VALUE_IGNORED: 'key',
  ADMIN_RESET: 'app',
  OPERATION_REQUESTED: 'app action',
  OPERATION_BY_SUPERVISOR: 'app action',
  SETTINGS_CHANGED: 'app',
  CANCEL_REQUESTED: 'app action',
  CORDON_SET: 'environment',
  CORDON_LIFTED: 'environment',
  DRAIN_REQUESTED: 'environment',
  FORGET_REQUESTED: 'environment',
  WORKER_ADMIN_RESET: 'environment',
  SSO_ENTERED: 'app user address',
  ACTION_CREATE: '',
  ACTION_ADOPT: '',
  ACTION_UPDATE: '',
  ACTION_MOVE: '',
  ACTION_START: '',
  ACTION_STOP: '',
  ACTION_RESTART: '',
  ACTION_UPGRADE: '',
  ACTION_DESTROY: '',
  ACTION_DROP: '',
} as const;
export type MessageCode = keyof typeof MESSAGES;

/** The words of a text such as `'app environment'`. */
export type Names<S extends string> = S extends ''
  ? never
  : S extends `${infer First} ${infer Others}`
    ? First | Names<Others>
    : S;

/** Creates a message with the params of its text. */
export const say = <C extends MessageCode>(
  code: C,
  ...[given]: [Names<(typeof MESSAGES)[C]>] extends [never] ? [] : [params: Record<Names<(typeof MESSAGES)[C]>, Param>]
): Message => (given ? { code, params: given } : { code });

/** Messages about exactly one field of an input. */
export type InputCode = { [C in MessageCode]: (typeof MESSAGES)[C] extends 'field' ? C : never }[MessageCode];
export const isInputCode = (code: string): code is InputCode =>
  Object.hasOwn(MESSAGES, code) && MESSAGES[code as MessageCode] === 'field';

const ACTION_CODES = {
  create: 'ACTION_CREATE',
  adopt: 'ACTION_ADOPT',
  update: 'ACTION_UPDATE',
  move: 'ACTION_MOVE',
  start: 'ACTION_START',
  stop: 'ACTION_STOP',
  restart: 'ACTION_RESTART',
  upgrade: 'ACTION_UPGRADE',
  destroy: 'ACTION_DESTROY',
  drop: 'ACTION_DROP',
} as const;
/** The name of an action, as part of a sentence. */
export const sayAction = (action: keyof typeof ACTION_CODES): Message => say(ACTION_CODES[action]);
