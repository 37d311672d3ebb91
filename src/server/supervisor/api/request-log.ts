import type { Context, Next } from '@nocobase/actions';

/**
 * Strikes passwords out of what the core writes to its request log: it takes all values of a request, and leaves out a
 * `password` at the top alone (logger/lib/request-logger.js:55), while an app's lies deeper. Around everything that may
 * answer, so that a request that is not let in is none the wiser.
 */
export function strikeOutPasswords(resources: string[]) {
  return async function strikeOutPasswords(ctx: Context, next: Next) {
    try {
      await next();
    } finally {
      const { action } = ctx;
      if (action && resources.includes(action.resourceName)) action.params.values = struckOut(action.params.values);
    }
  };
}

/** No input of ours is as deep. A body from anybody may be, beyond what the stack holds. */
const DEEPEST = 10;

function struckOut(value: unknown, depth = 0): unknown {
  if (!value || typeof value !== 'object') return value;
  if (depth === DEEPEST) return '…';
  if (Array.isArray(value)) return value.map((inner) => struckOut(inner, depth + 1));
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, /password/i.test(key) ? '******' : struckOut(inner, depth + 1)]),
  );
}
