import type { ClientRequest, IncomingMessage, ServerResponse } from 'node:http';

/**
 * Writes a worker's answer to the visitor. Unlike `pipe`, which needs eight more listeners, it closes the visitor's
 * connection when the worker dies in the middle; otherwise the visitor would wait forever (httpxy#103).
 */
export function pump(from: IncomingMessage, to: ServerResponse): void {
  let sent = false;
  let ended = false;
  const resume = () => from.resume();
  from.on('data', (chunk: Buffer) => {
    sent = true;
    if (!to.write(chunk)) {
      from.pause();
      to.once('drain', resume);
    }
  });
  from.on('end', () => {
    ended = true;
    addTrailers(to, from);
    to.end();
  });
  from.on('close', () => {
    if (!ended) to.destroy();
  });
  // Event streams send their headers long before any body, so flush them (after the tick in which a small body
  // arrives).
  if (!from.complete) process.nextTick(() => sent || ended || to.destroyed || flushHead(to));
}

/** `flushHeaders` would write bytes above 0x7f as UTF-8, although Node has read each of them as one character. */
function flushHead(res: ServerResponse): void {
  res.write('', 'latin1');
}

/** `writeHead` with a list. If headers were set before, Node would keep only the last of repeated fields. */
export function writeHead(res: ServerResponse, status: number, message: string, headers: string[]): void {
  if (res.getHeaderNames().length === 0) {
    res.writeHead(status, message, headers);
    return;
  }
  for (let i = 0; i < headers.length; i += 2) res.removeHeader(headers[i]);
  for (let i = 0; i < headers.length; i += 2) res.appendHeader(headers[i], headers[i + 1]);
  res.writeHead(status, message);
}

export function addTrailers(to: ClientRequest | ServerResponse, from: IncomingMessage): void {
  const { rawTrailers } = from;
  if (rawTrailers.length === 0 || !to.chunkedEncoding) return;
  const pairs: Array<[string, string]> = [];
  for (let i = 0; i < rawTrailers.length; i += 2) pairs.push([rawTrailers[i], rawTrailers[i + 1]]);
  try {
    to.addTrailers(pairs);
  } catch {
    // a field that Node rejects: the message is complete without it
  }
}
