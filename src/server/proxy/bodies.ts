import type { IncomingMessage } from 'node:http';
import type { Bounds } from '../bounds';
import type { Clock, Timer } from '../clock';
import type { LimitName } from '../observability/metrics';
import type { AnswerCode } from './answers';
import { hasBody } from './headers';
import { FormMeter } from './multipart';

/** Why a body is not read to its end. */
export type BodyRefusal = Extract<AnswerCode, 'BODY_TOO_LARGE' | 'BODY_ENCODED' | 'BODY_TOO_SLOW'>;

/**
 * Bounds the body of a request.
 * @param isAnonymous whether it is of somebody who is not signed in; not asked if there is no body
 * @param refuse called at most once, also while the body arrives
 * @returns false if it is refused already
 */
export function boundBody(
  req: IncomingMessage,
  bounds: BodyBounds,
  clock: Clock,
  isAnonymous: () => boolean,
  refuse: RefuseBody,
): boolean {
  if (!hasBody(req)) return true;
  if (isAnonymous()) {
    const over = (code: BodyRefusal) => refuse(code, isForm(req) ? 'anonymous_upload' : 'anonymous_body');
    const code = limitAnonymous(req, bounds, over);
    if (code) {
      over(code);
      return false;
    }
  }
  watchBody(req, bounds.bodySilence, clock, () => refuse('BODY_TOO_SLOW', 'body_silence'));
  return true;
}
export type RefuseBody = (code: BodyRefusal, limit: LimitName) => void;
export type BodyBounds = Pick<Bounds, 'anonymousBody' | 'anonymousUpload' | 'bodySilence'>;

/** What an honest visitor sends in one interval of `bodySilence`, even over the slowest line, in bytes. */
const LEAST = 1_024;

/**
 * Ends a request whose body hardly arrives. Time in which nobody here reads is not the visitor's.
 * @param late called at most once
 */
export function watchBody(req: IncomingMessage, silence: number, clock: Clock, late: () => void): void {
  if (!hasBody(req)) return;
  const { socket } = req;
  let seen = socket.bytesRead;
  let timer: Timer;
  const check = () => {
    if (req.complete || req.destroyed) return;
    const isOurs = req.readableFlowing !== true || req.readableLength > 0;
    if (!isOurs && socket.bytesRead - seen < LEAST) return late();
    seen = socket.bytesRead;
    timer = clock.timeout(silence, check);
  };
  timer = clock.timeout(silence, check);
  req.once('close', () => timer.cancel());
}

/**
 * Bounds the body of somebody who is not signed in, before anything reads it. NocoBase unpacks and parses it in the event loop
 * that serves all others: a few bytes of it can stand for many seconds of that.
 * @param over called at most once, instead of passing on what is too much
 * @returns why it is refused already, or null
 */
function limitAnonymous(
  req: IncomingMessage,
  { anonymousBody, anonymousUpload }: BodyBounds,
  over: (code: BodyRefusal) => void,
): BodyRefusal | null {
  const { 'content-encoding': encoding = '', 'content-length': length, 'content-type': type = '' } = req.headers;
  if (!/^\s*(?:identity\s*)?$/i.test(encoding)) return 'BODY_ENCODED';
  const isAForm = isForm(req);
  const most = isAForm ? anonymousUpload : anonymousBody;
  if (Number(length ?? 0) > most) return 'BODY_TOO_LARGE';
  if (length !== undefined && !isAForm) return null;
  const form = isAForm ? new FormMeter(type) : null;
  let read = 0;
  intercept(req, (chunk) => {
    read += chunk.length;
    const isOver = read > most || (form !== null && form.add(chunk) > anonymousBody);
    if (isOver) over('BODY_TOO_LARGE');
    return !isOver;
  });
  return null;
}

/** @param pass whether a part of the body is passed on; after the first that is not, nothing is */
function intercept(req: IncomingMessage, pass: (chunk: Buffer) => boolean): void {
  const push = req.push.bind(req);
  // Node's parser hands over each part with this method; a listener for data would start the reading.
  req.push = (chunk: Buffer | null, ...more) => {
    if (chunk === null || pass(chunk)) return push(chunk, ...more);
    req.push = () => true;
    return true;
  };
}

/** The files of a form are written to disk as they arrive, and not parsed in memory. */
export const isForm = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  /^\s*multipart\/form-data\s*(?:;|$)/i.test(headers['content-type'] ?? '');
