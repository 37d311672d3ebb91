import type { IncomingMessage } from 'node:http';
import type { Failure } from './upstream-failures';

/** Written by the nginx of the image (docker/away), which keeps NocoBase from writing it. */
const AWAY = 'x-app-supervisor-away';

/**
 * The failure that a nginx in front of a Worker reports, whose NocoBase does not answer: as if the proxy had met it itself. Null for an
 * answer of the app.
 */
export function awayOf(answer: IncomingMessage): Failure | null {
  // Node.js builds `headers` at the first access, and most answers do not need it.
  if (answer.statusCode !== 502) return null;
  const said = answer.headers[AWAY];
  if (said === undefined) return null;
  const isRefused = said === 'refused';
  return { code: isRefused ? 'UPSTREAM_REFUSED' : 'UPSTREAM_RESET', unreachable: isRefused, cause: `nginx: ${said}` };
}
