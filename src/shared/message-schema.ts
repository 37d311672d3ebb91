import { z } from 'zod';
import { failed, type Message, verbatim } from './message';

/** Maximum nesting of messages within a message, because other processes send them. */
const DEPTH = 2;

const within = (depth: number): z.ZodType<Message> =>
  z.object({
    code: z.string().min(1).max(100),
    params: z.record(z.string(), z.union([z.string(), z.number(), ...(depth ? [within(depth - 1)] : [])])).optional(),
  });
const own = within(DEPTH);

/** Releases before 0.2.0 wrote English sentences. */
export const message: z.ZodType<Message> = z.preprocess(
  (value) => (typeof value === 'string' ? verbatim(value) : value),
  own,
);

/** An error; releases before 0.2.0 wrote `{code, message}`. */
export const problem: z.ZodType<Message> = z.preprocess((value) => {
  const { message, params } = (value ?? {}) as { message?: unknown; params?: unknown };
  return typeof message === 'string' && params === undefined ? failed(message) : value;
}, own);
