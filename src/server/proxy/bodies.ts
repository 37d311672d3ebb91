import type { IncomingMessage } from 'node:http';
import type { Clock, Timer } from '../clock';
import type { Bounds } from '../config/bounds';
import type { LimitName } from '../observability/metrics';
import type { AnswerCode } from './answers';
import { gather, intercept, takeArrived } from './body-arrival';
import { hasBody } from './headers';
import { JsonMeter } from './json-meter';
import { FormMeter } from './multipart';

/** Why a body is not read to its end. */
export type BodyRefusal = Extract<AnswerCode, 'BODY_TOO_LARGE' | 'BODY_ENCODED' | 'BODY_TOO_SLOW'>;

/** How the body of a request is bounded. */
export interface BodyRules {
  bounds: Pick<Bounds, 'anonymousBody' | 'anonymousUpload' | 'bodySilence'>;
  clock: Clock;
  /** Whether it is of somebody who is not signed in; not asked if there is no body. */
  isAnonymous(): boolean;
  /** Whether the whole of it has to be here before anybody reads, if it is of somebody who is not signed in and no form. */
  gathers: boolean;
  /** Called at most once, also while the body arrives. */
  refuse(code: BodyRefusal, limit: LimitName): void;
}

/** @returns whether the request goes on; false if it was refused, or its visitor has left */
export function boundBody(req: IncomingMessage, { bounds, clock, ...rules }: BodyRules): boolean | Promise<boolean> {
  if (!hasBody(req)) return true;
  const arrived = takeArrived(req);
  let isRefused = false;
  const refuse: BodyRules['refuse'] = (code, limit) => {
    isRefused = true;
    rules.refuse(code, limit);
  };
  const isAnonymous = rules.isAnonymous();
  if (isAnonymous) {
    limitAnonymous(req, arrived, bounds, (code) => refuse(code, isForm(req) ? 'anonymous_upload' : 'anonymous_body'));
    if (isRefused) return false;
  }
  const gathers = isAnonymous && rules.gathers && !isForm(req);
  watchBody(req, bounds.bodySilence, clock, () => refuse('BODY_TOO_SLOW', 'body_silence'), gathers);
  return gathers ? gather(req).then((isWhole) => isWhole && !isRefused) : true;
}

/** What an honest visitor sends in one interval of `bodySilence`, even over the slowest line, in bytes. */
const LEAST = 1_024;

/**
 * Ends a request whose body hardly arrives. Time in which nobody here reads is not the visitor's.
 * @param late called at most once
 * @param isGathered whether it is taken from the visitor although nobody reads
 */
export function watchBody(
  req: IncomingMessage,
  silence: number,
  clock: Clock,
  late: () => void,
  isGathered = false,
): void {
  if (!hasBody(req)) return;
  const { socket } = req;
  let seen = socket.bytesRead;
  let timer: Timer;
  const check = () => {
    if (req.complete || req.destroyed) return;
    const isOurs = !isGathered && (req.readableFlowing !== true || req.readableLength > 0);
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
 * @param arrived what of it is here already
 * @param over called at most once, instead of passing on what is too much
 */
function limitAnonymous(
  req: IncomingMessage,
  arrived: Buffer[],
  { anonymousBody, anonymousUpload }: BodyRules['bounds'],
  over: (code: BodyRefusal) => void,
): void {
  const { 'content-encoding': encoding = '', 'content-length': length } = req.headers;
  const isAForm = isForm(req);
  const most = isAForm ? anonymousUpload : anonymousBody;
  const isEncoded = !/^\s*(?:identity\s*)?$/i.test(encoding);
  if (isEncoded || Number(length ?? 0) > most) {
    over(isEncoded ? 'BODY_ENCODED' : 'BODY_TOO_LARGE');
    return;
  }
  const isTooMuch = meterOf(req, anonymousBody);
  let read = 0;
  const pass = (chunk: Buffer) => {
    read += chunk.length;
    const isOver = read > most || isTooMuch(chunk);
    if (isOver) over('BODY_TOO_LARGE');
    return !isOver;
  };
  if (arrived.every(pass)) intercept(req, pass);
}

/** Bytes for one value of a JSON text, on average. */
const EACH_VALUE = 32;

/** What a body may not have too much of, beside its length. */
function meterOf({ headers }: IncomingMessage, anonymousBody: number): (chunk: Buffer) => boolean {
  const type = headers['content-type'] ?? '';
  if (isForm({ headers })) {
    const form = new FormMeter(type);
    return (chunk) => form.add(chunk) > anonymousBody;
  }
  if (!/json|csp-report/i.test(type)) return () => false;
  const json = new JsonMeter();
  return (chunk) => json.add(chunk) > anonymousBody / EACH_VALUE;
}

/** The files of a form are written to disk as they arrive, and not parsed in memory. */
export const isForm = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  /^\s*multipart\/form-data\s*(?:;|$)/i.test(headers['content-type'] ?? '');
