/**
 * Every coded error, on one screen. A code never changes its meaning; `status` is what the HTTP API answers with.
 * `%name` in a text is filled from the details. Each text says what happened, to what, and what to do.
 */
const CODES = {
  // input
  INVALID_INPUT: [400, '%problem'],
  PASSWORD_REQUIRED: [
    400,
    'The stored database password of app "%app" was entered for another host, port or user, and is not sent anywhere else. Enter the password for the new ones in the same request.',
  ],
  UNKNOWN_APP: [404, 'There is no app "%app". Check the identifier in the list of apps.'],
  UNKNOWN_ENVIRONMENT: [404, 'There is no environment "%environment". Start its worker first; it registers itself.'],
  ENVIRONMENT_ALIVE: [
    409,
    'Environment "%environment" is running. Stop its worker first; only one that is gone can be forgotten.',
  ],
  UNKNOWN_OPERATION: [404, 'There is no operation "%operation". Operations are kept for 30 days.'],
  NAME_TAKEN: [409, 'An app "%app" exists already. Choose another identifier.'],
  DROP_PENDING: [
    409,
    'An app "%app" was deleted and its data is still to be dropped. Wait for that operation, cancel it, or forget the environment it waits for.',
  ],
  DOMAIN_TAKEN: [409, 'The domain "%domain" belongs to app "%app". Choose another one, or remove it there first.'],
  ENVIRONMENT_CORDONED: [
    409,
    'Environment "%environment" takes no new apps (it is cordoned). Uncordon it, or choose another one.',
  ],
  OPERATION_BEGUN: [
    409,
    'App "%app" is in the middle of %action in environment "%environment". Wait until that ends, then try again.',
  ],
  OPERATION_OVER: [
    409,
    'Operation "%operation" is over. Only a failed or cancelled one can be tried again, only a waiting or running one cancelled.',
  ],
  NOT_READY: [503, 'The list of apps is not read yet. Try again in a moment.'],
  LEAVING: [503, 'This Supervisor is being stopped. Try again in a moment.'],
  NOT_ON_THIS_PART: [409, 'This instance manages no apps; its part is %part. Use the Supervisor.'],
  // configuration
  KEY_MISSING: [
    500,
    'A secret of app "%app" is encrypted with key %key, which is not configured here. Set APP_SUPERVISOR_AES_SECRET_KEY to the same value on every instance.',
  ],
  KEY_DIFFERS: [
    409,
    'Environment "%environment" has another %variable than the instances that it works with. Set the same value on all and restart the worker.',
  ],
  // releases (supervisor/fleet/compatibility.ts)
  VERSION_DIFFERS: [
    409,
    'Environment "%environment" runs NocoBase %version and the Supervisor %supervisor. Pages come from the Supervisor and may not fit, so it gets no apps. Bring both to one release.',
  ],
  PATCH_DIFFERS: [
    409,
    'Environment "%environment" runs NocoBase %version and the Supervisor %supervisor. Bring both to one release.',
  ],
  PLUGINS_MISSING: [
    409,
    'Plugins of "%owner" are not installed on the Supervisor, from which its pages come; they would stay blank: %plugins. Install them there too.',
  ],
  PLUGINS_DIFFER: [
    409,
    'The Supervisor, from which pages come, has other versions of plugins of "%owner": %plugins. Install the same versions.',
  ],
  PLUGINS_ABSENT: [
    409,
    'App "%owner" has enabled plugins that environment "%environment" does not have: %plugins. Install them there, or disable them.',
  ],
  INITIAL_ADMIN_UNKNOWN: [
    409,
    'Environment "%environment" has a release of this plugin that installs every app with the well-known password of NocoBase. Update the plugin there to 0.1.1 or later, then create the app.',
  ],
  ENVIRONMENTS_DIFFER: [
    409,
    'Environments "%one" and "%other" cannot have one app together: %what is %here in the one and %there in the other. Bring both to one release.',
  ],
  // an app's database
  DATABASE_UNREACHABLE: [
    502,
    'The database server %server did not answer: %cause. Check host, port and network as seen from the environment that runs the app.',
  ],
  DATABASE_SIGN_IN: [
    502,
    'The database server %server refused the sign-in of "%user": %cause. Check user name and password.',
  ],
  DATABASE_CREATE_DENIED: [502, 'The user "%user" may not create %object on %server. An administrator can run: %sql'],
  DATABASE_NAME_INVALID: [
    400,
    '"%value" cannot be a %what: it must start with a letter and hold letters, digits, "_" or "-" only.',
  ],
  DATABASE_MISSING: [
    409,
    'The %object of app "%app" does not exist on %server. Was it dropped, or does this environment use another database server than the one that created it?',
  ],
  DATABASE_FOREIGN: [
    409,
    'The %object on %server holds something that is not app "%app". Choose another name, or adopt it if it is a NocoBase app.',
  ],
  DATABASE_OTHER_APP: [
    409,
    'The %object on %server belongs to app "%owner" (uid %uid). Choose another name; if that app is gone for good, an administrator can free it: %sql',
  ],
  DATABASE_UNMARKED: [
    409,
    'The %object on %server is empty and does not carry the mark of app "%app". Was it made anew, or does this environment use another database server than the one that created the app?',
  ],
  DATABASE_RESERVED: [409, 'The %object on %server is %owner and cannot become an app. Choose another name.'],
  DATABASE_NOT_EMPTIED: [
    409,
    'The installation of app "%app" was cut off, and the %object on %server is not emptied for a new one: %why.',
  ],
  DATABASE_DIALECT: [400, 'The dialect %dialect cannot be used here: %why.'],
  DATABASE_FAILED: [502, 'The database server %server failed: %cause.'],
  LOCK_BUSY: [409, 'Another environment is starting app "%app" and did not finish within %seconds s.'],
  LOCK_POOLED: [
    409,
    'The connection to %server passes through a pooler that lends connections by the transaction, so no lock can keep app "%app" from being started twice. Set its pool mode to session, or connect to the server itself.',
  ],
  LOCK_LOST: [
    502,
    'The connection that held the lock on the database of app "%app" was lost in the middle, so the result cannot be trusted. The app is started again.',
  ],
  // running an app
  APP_START_FAILED: [500, 'App "%app" did not start: %cause'],
  APP_TOO_NEW: [409, 'The data of app "%app" is from %data, this environment runs %core. Upgrade the environment.'],
  APP_UPGRADE_FORBIDDEN: [
    409,
    'The data of app "%app" is from %data and would be upgraded to %core, which the app forbids. Allow upgrades in its settings, or use Upgrade.',
  ],
  APP_CRASH_LOOP: [
    500,
    'App "%app" failed %times times in a row and is left alone. Last cause: %cause. Restart it when the cause is mended.',
  ],
  DEADLINE: [504, 'Environment "%environment" began %seconds s ago and has not finished. Look at its log.'],
  // what a hosted app does not do (guards)
  PLUGINS_BY_OPERATOR: [
    403,
    'Plugins are installed, updated and removed by the operator of this platform, for all apps together. Ask the operator for a plugin; once it is installed, enable it here.',
  ],
  MCP_PROGRAM: [
    403,
    'An MCP client of an app cannot start a program (transport stdio). Use an MCP server that is reached by HTTP or SSE.',
  ],
  GUARD_MISSING: [
    500,
    'This NocoBase has no "%what", so the app cannot be kept from what belongs to the operator, and is not started. Use a NocoBase that this version of App Supervisor was made for, or update App Supervisor.',
  ],
  // talking to a worker
  WORKER_SILENT: [504, 'Environment "%environment" did not answer within %seconds s. Is its worker running?'],
  WORKER_FAILED: [502, 'Environment "%environment" could not do it: %cause'],
} as const satisfies Record<string, readonly [number, string]>;

export type ErrorCode = keyof typeof CODES;

export const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(CODES, code);

/** The HTTP status that a code is answered with. */
export const statusOf = (code: ErrorCode): number => CODES[code][0];

/** An error for its reader. `field` names the input it stands beside, `details` are what the text was filled from. */
export class AppSupervisorError extends Error {
  readonly status: number;

  constructor(
    readonly code: ErrorCode,
    readonly details: Record<string, string | number> = {},
    readonly field?: string,
  ) {
    const [status, text] = CODES[code];
    super(text.replace(/%(\w+)/g, (whole, key) => String(details[key] ?? whole)));
    this.name = 'AppSupervisorError';
    this.status = status;
  }
}

/** The body of an answer that is an error. */
export function answerOf({ code, message, field, details }: AppSupervisorError): { errors: object[] } {
  return {
    errors: [{ code, message, ...(field ? { field } : {}), ...(Object.keys(details).length ? { details } : {}) }],
  };
}

export const fail = (code: ErrorCode, details?: Record<string, string | number>, field?: string): never => {
  throw new AppSupervisorError(code, details, field);
};

/** The text of whatever was thrown: a driver may throw an `AggregateError` with an empty message. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && !error.message) {
    return error.errors.map(messageOf).join('; ');
  }
  return error instanceof Error ? error.message : String(error);
}

/** `{code, message}` of whatever was thrown, for a status or a step. */
export function describeError(error: unknown): { code: string; message: string } {
  if (error instanceof AppSupervisorError) {
    return { code: error.code, message: error.message };
  }
  const code = (error as { code?: unknown } | null)?.code;
  return { code: typeof code === 'string' ? code : 'FAILED', message: messageOf(error) };
}
