import type { IncomingMessage, ServerResponse } from 'node:http';
import { z } from 'zod';
import { languageOf } from '../visitor-texts';
import { ANSWERS, type AnswerCode, answer, send } from './answers';
import type { Context } from './context';
import { pageFor } from './error-page';
import { onGone } from './gone';
import { peerOf } from './peer';
import type { RouteApp } from './table';
import { pathOf } from './url';
import { Exchange } from './web';

/**
 * Whether an app can be opened: asked before one of its pages is shown. NocoBase's clients learn it later, and show a page of
 * their own that says little, in one language, with the status 200.
 *
 * @param main the path of the main app, where the visitor is at its host
 * @returns whether the visitor has been answered, because it cannot
 */
export type Opening = (
  app: RouteApp,
  req: IncomingMessage,
  res: ServerResponse,
  main: string | null,
) => boolean | Promise<boolean>;

/** How long an environment may think before the page is shown all the same, in ms. */
const PATIENCE = 5_000;
/** In characters. */
const MAX_ANSWER = 10_000;

/** Asks the environment to which the page would be sent, which starts an app that waits for its first visit. */
export function createOpening(context: Context): Opening {
  return (app, req, res, main) => {
    const { clock, config, trusts } = context;
    const url = `${config.apiBase}/__app/${app.name}/__health_check`;
    let heard: (incoming: IncomingMessage) => void = () => undefined;
    const question = { url, main, answered: (incoming: IncomingMessage) => heard(incoming) };
    const exchange = new Exchange(context, app, req, res, req.url ?? '/', peerOf(req.socket, trusts), question);
    const environment = exchange.enter();
    if (!environment) return true;
    return new Promise((resolve) => {
      const open = (isAnswered: boolean) => {
        late.cancel();
        exchange.settle(isAnswered);
        resolve(false);
      };
      const late = clock.timeout(PATIENCE, () => open(false));
      onGone(req, res, () => {
        late.cancel();
        resolve(true);
      });
      heard = async (incoming) => {
        const state = incoming.statusCode === 200 ? null : stateIn(await read(incoming));
        incoming.resume();
        if (state === null) open(true);
        else exchange.answer(state.code, '', state);
      };
      exchange.send(environment);
    });
  };
}

/** Why an app of this process cannot be opened; null: it can. It starts one that waits for its first visit. */
export type LookHere = (app: string) => State | null;

/** The same where apps run in the process that answers. */
export const createOpeningHere =
  (look: LookHere, apiBase: string): Opening =>
  (app, req, res, main) => {
    const state: State | null = app.desired === 'stopped' ? { code: 'APP_STOPPED' } : look(app.name);
    if (state === null) return false;
    const what = { ...answer(state.code, app.title ?? app.name, { language: languageOf(req.headers) }), ...state };
    send(req, res, what, pageFor(req, pathOf(req.url ?? '/'), apiBase, what, app, main));
    return true;
  };

/** Of an app that cannot be opened. */
export interface State {
  code: AnswerCode;
  /** To the cause. */
  reference?: string;
}

/** What NocoBase says of an app that does not run; `reference` comes from this plugin. */
const told = z.object({
  error: z.object({
    code: z.string(),
    reference: z
      .string()
      .regex(/^\w{1,20}$/)
      .optional()
      .catch(undefined),
  }),
});
const FAILED: ReadonlySet<string> = new Set(['APP_ERROR', 'COMMAND_ERROR']);
const STARTING: ReadonlySet<string> = new Set([
  'APP_PREPARING',
  'APP_INITIALIZING',
  'APP_INITIALIZED',
  'APP_STARTING',
  'APP_COMMANDING',
  'COMMAND_END',
  // The Supervisor knows the app: it is about to be there.
  'APP_NOT_FOUND',
]);

/** @returns null for an answer that says nothing of the app */
export function stateIn(text: string): State | null {
  let parsed: z.infer<typeof told>;
  try {
    parsed = told.parse(JSON.parse(text));
  } catch {
    return null;
  }
  const { code, reference } = parsed.error;
  if (FAILED.has(code)) return { code: 'APP_ERROR', ...(reference === undefined ? {} : { reference }) };
  if (STARTING.has(code)) return { code: 'APP_PREPARING' };
  return Object.hasOwn(ANSWERS, code) ? { code: code as AnswerCode } : null;
}

async function read(incoming: IncomingMessage): Promise<string> {
  let text = '';
  try {
    for await (const part of incoming.setEncoding('utf8')) {
      text += part;
      if (text.length > MAX_ANSWER) break;
    }
  } catch {
    // Broken off: it says nothing.
  }
  return text;
}
