import type { Context, Next } from '@nocobase/actions';

/**
 * Removes passwords from the core's request log, which contains all values of a request and omits only a top-level
 * `password` (logger/lib/request-logger.js:55); an app's password is nested deeper. Installed around everything that
 * may answer, so that it also covers rejected requests.
 */
export function redactPasswords(resources: string[]) {
  return async function redactPasswords(ctx: Context, next: Next) {
    try {
      await next();
    } finally {
      const { action } = ctx;
      if (action && resources.includes(action.resourceName)) action.params.values = struckOut(action.params.values);
    }
  };
}

/** No input of ours is as deep, but a body from anybody may be deeper than the stack allows. */
const MAX_DEPTH = 10;

function struckOut(value: unknown, depth = 0): unknown {
  if (!value || typeof value !== 'object') return value;
  if (depth === MAX_DEPTH) return '…';
  if (Array.isArray(value)) return value.map((inner) => struckOut(inner, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, /password/i.test(key) ? '******' : struckOut(inner, depth + 1)]),
  );
}
