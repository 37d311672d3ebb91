import type { Application } from '@nocobase/server';

/**
 * What visitors may learn about an app that is not available: only that, or its progress. Statuses, operations and logs
 * show operators why, and on which server.
 */

const unavailable = (app: string): string => `application ${app} is unavailable`;

/**
 * Replaces an error of which the core would show everybody the text, the cause and the code (gateway/errors.js,
 * ws-server.js).
 */
export class Unavailable extends Error {
  readonly #reason: Error;

  constructor(app: string, reason: Error) {
    super(unavailable(app));
    this.#reason = reason;
  }

  /** The original error. */
  get reason(): Error {
    return this.#reason;
  }
}

/** The core's texts name plugins, collections and data sources; this keeps only the progress. */
export function progressFor(message: string): string {
  const [count] = /\d+\/\d+$/.exec(message) ?? [];
  return count ? `in progress, ${count}` : 'in progress';
}

interface Failure {
  name?: string;
  code?: unknown;
  syscall?: unknown;
  severity?: unknown;
  sqlState?: unknown;
  parent?: unknown;
  original?: unknown;
  cause?: unknown;
}

/** Whether the error comes from a driver or the system: their texts contain servers, users, paths and statements. */
export function isInternal(error: unknown, depth = 0): boolean {
  if (!error || typeof error !== 'object' || depth > 4) return false;
  const { name = '', code, syscall, severity, sqlState, parent, original, cause } = error as Failure;
  const isOfDatabase = /^Sequelize|^Sql/.test(name) || /^SQLITE_/.test(String(code));
  return (
    isOfDatabase ||
    [syscall, severity, sqlState].some((mark) => mark !== undefined) ||
    [parent, original, cause].some((inner) => isInternal(inner, depth + 1))
  );
}

/** Of NocoBase's error-handler plugin; the first handler whose guard accepts an error answers it. */
interface ErrorHandler {
  handlers: Array<{ guard: unknown }>;
  register(guard: (error: unknown) => boolean, render: (error: unknown, ctx: Answering) => void): void;
  defaultHandler(error: unknown, ctx: Answering): void;
}

interface Answering {
  status: number;
  body: unknown;
  state: { currentUser?: unknown };
}

/**
 * Makes an app answer users who are not signed in without the texts of drivers and of the system. A repeated call
 * changes nothing.
 */
export function hideInternalErrors(app: Pick<Application, 'name' | 'pm'>): void {
  const plugin = app.pm.get('error-handler') as unknown as { errorHandler?: ErrorHandler } | undefined;
  const handler = plugin?.errorHandler;
  if (!handler || handler.handlers.some(({ guard }) => guard === isInternal)) return;
  handler.register(isInternal, (error, ctx) => {
    handler.defaultHandler(error, ctx);
    if (ctx.state.currentUser) return;
    ctx.body = {
      errors: [{ code: 'INTERNAL_ERROR', message: `application ${app.name} cannot answer that right now` }],
    };
  });
}

interface Client {
  app?: string;
  tags: ReadonlySet<string>;
}
interface Message {
  type: string;
  payload?: { message?: string };
}
/** The core's WebSocket server; all messages leave it through this method (gateway/ws-server.js). */
export interface Sender {
  sendMessageToConnection(client: Client, message: Message): void;
}

/**
 * The core sends the error of a failed command of an app to every open tab of the app; only signed-in users may see it.
 */
export function notifyUsersOnly(sender: Sender): void {
  const send = sender.sendMessageToConnection.bind(sender);
  sender.sendMessageToConnection = (client, message) => {
    const isForAll = message.type !== 'notification' || message.payload?.message === unavailable(String(client.app));
    const isSignedIn = () => [...client.tags].some((tag) => tag.startsWith('userId#'));
    if (isForAll || isSignedIn()) send(client, message);
  };
}
