import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Application } from '@nocobase/server';
import { describeError, referenceOf } from '../errors';
import { languageOf, unavailable, type VisitorLanguage } from '../visitor-texts';

/**
 * What visitors may learn about an app that is not available: only that, or its progress. Statuses, operations and logs
 * show operators why, and on which server.
 */

/**
 * Replaces an error of which the core would show everybody the text, the cause and the code (gateway/errors.js,
 * ws-server.js).
 */
export class Unavailable extends Error {
  readonly #reason: Error;
  readonly #title: string;
  readonly #reference: string;

  /** @param title of the app, for visitors */
  constructor(app: string, title: string, reason: Error) {
    const reference = referenceOf(app, describeError(reason));
    super(unavailable(title, reference, 'en'));
    this.#reason = reason;
    this.#title = title;
    this.#reference = reference;
  }

  textIn(language: VisitorLanguage): string {
    return unavailable(this.#title, this.#reference, language);
  }

  /** With which operators find the original error. */
  get reference(): string {
    return this.#reference;
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
  headers?: IncomingHttpHeaders;
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

/** The failure of an app of this process, if it has failed. */
export type FailureOf = (app: string) => Unavailable | undefined;

/**
 * The core sends the error of a failed command of an app to every open tab of the app; only signed-in users may see it.
 * That the app itself has failed is for all, each in the language of its browser.
 */
export function notifyUsersOnly(sender: Sender, failureOf: FailureOf): void {
  const send = sender.sendMessageToConnection.bind(sender);
  sender.sendMessageToConnection = (client, message) => {
    const failure = failureOf(String(client.app));
    const isFailure = failure !== undefined && message.payload?.message === failure.message;
    const isSignedIn = () => [...client.tags].some((tag) => tag.startsWith('userId#'));
    if (isFailure) {
      const text = failure.textIn(languageOf(client.headers ?? {}));
      send(client, { ...message, payload: { ...message.payload, message: text } });
    } else if (message.type !== 'notification' || isSignedIn()) send(client, message);
  };
}

/** The core's gateway; it answers requests of apps that have failed through this method (gateway/index.js). */
export interface Answerer {
  responseErrorWithCode(code: string, res: ServerResponse, options: { appName: string }): void;
}

/**
 * Requests of an app that has failed are answered in the visitor's language. The core would also log each of them, and
 * visitors could fill the log.
 */
export function answerForFailed(gateway: Answerer, failureOf: FailureOf): void {
  const original = gateway.responseErrorWithCode.bind(gateway);
  gateway.responseErrorWithCode = (code, res, options) => {
    const failure = failureOf(options.appName);
    if (!failure || !/^(?:app_)?error$/i.test(code)) return original(code, res, options);
    const message = failure.textIn(languageOf(res.req?.headers ?? {}));
    res.statusCode = 503;
    res.setHeader('Content-Type', 'application/json');
    const { reference } = failure;
    res.end(JSON.stringify({ error: { status: 503, message, maintaining: true, code: 'APP_ERROR', reference } }));
  };
}
