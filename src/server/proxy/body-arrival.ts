import type { IncomingMessage, Server } from 'node:http';
import { hasBody } from './headers';

/**
 * What arrives of a body, seen without reading it: Node's parser hands over each part with `push`, while a listener for data
 * would start the reading.
 */

const ARRIVED = Symbol('app-supervisor.arrived');
type Recorded = IncomingMessage & { [ARRIVED]?: Buffer[] };

/** More than arrives before anybody reads. */
const MOST = 262_144;

/** Keeps what arrives together with the head of a request, which is before the core asks any handler. */
export function recordBodies(server: Server): void {
  server.prependListener('request', (req: Recorded) => {
    if (!hasBody(req)) return;
    const chunks: Buffer[] = [];
    let length = 0;
    req[ARRIVED] = chunks;
    intercept(req, (chunk) => {
      length += chunk.length;
      if (length <= MOST) chunks.push(chunk);
      else takeArrived(req); // whoever reads it does not ask
      return true;
    });
  });
}

/** What has arrived until now, of a request that `recordBodies` has seen. It is not kept from now on. */
export function takeArrived(req: Recorded): Buffer[] {
  const chunks = req[ARRIVED];
  if (!chunks) return [];
  delete req[ARRIVED];
  Reflect.deleteProperty(req, 'push');
  return chunks;
}

/** @param pass whether a part of the body is passed on; after the first that is not, nothing is */
export function intercept(req: IncomingMessage, pass: (chunk: Buffer) => boolean): void {
  const push = req.push.bind(req);
  req.push = (chunk: Buffer | null, ...more) => {
    if (chunk === null || pass(chunk)) return push(chunk, ...more);
    req.push = () => true;
    return true;
  };
}

/**
 * Takes the whole body into the request, whose length somebody has bounded, while nobody reads.
 * @returns whether it has come to its end
 */
export function gather(req: IncomingMessage): Promise<boolean> {
  if (req.complete) return Promise.resolve(true);
  return new Promise((resolve) => {
    const push = req.push.bind(req);
    req.push = (chunk: Buffer | null, ...more) => {
      push(chunk, ...more);
      if (chunk === null) resolve(true);
      return true; // goes on beyond what Node would keep
    };
    req.once('close', () => resolve(req.complete));
    req.socket.resume(); // Node has paused it if much is here already
  });
}
