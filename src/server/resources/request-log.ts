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

function struckOut(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(struckOut);
  if (!value || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, /password/i.test(key) ? '******' : struckOut(inner)]),
  );
}
