import type { IncomingMessage } from 'node:http';
import type { Clock, Timer } from '../clock';
import { hasBody } from './headers';

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
 * Bounds a body that is read as a whole.
 * @param most in bytes
 * @param over called at most once, instead of passing on what is too much
 * @returns whether the request already says that its body is larger
 */
export function limitBody(req: IncomingMessage, most: number, over: () => void): boolean {
  const length = req.headers['content-length'];
  if (length !== undefined) return Number(length) > most;
  if (!hasBody(req)) return false;
  const push = req.push.bind(req);
  let read = 0;
  // Node's parser hands over each part with this method; a listener for data would start the reading.
  req.push = (chunk: Buffer | null, ...more) => {
    read += chunk?.length ?? 0;
    if (read <= most) return push(chunk, ...more);
    req.push = () => true;
    over();
    return true;
  };
  return false;
}

/** A form with files is written to disk as it arrives, and not parsed in memory. */
export const isForm = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  /^\s*multipart\/form-data\b/i.test(headers['content-type'] ?? '');
