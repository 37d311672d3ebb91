import { z } from 'zod';

/**
 * A hash in Redis has one writer. With each write the writer leaves a count there, `<term>.<n>`, and each write is conditional on the
 * count that its writer left. Where another one is found, the content may be anything: the store was emptied, fell back to an older copy, or
 * somebody else wrote. Then the writer compares all of it with what should be there, and writes what differs.
 */
export const count = z.object({ term: z.number().int().nonnegative(), n: z.number().int().nonnegative() });
export type Count = z.infer<typeof count>;

export const NO_COUNT: Count = { term: 0, n: 0 };

export const isAfter = (one: Count, other: Count): boolean => (one.term - other.term || one.n - other.n) > 0;

/** @param now in ms: a writer that starts anew in the same term, in a store without content, counts on */
export const countAfter = (last: Count, term: number, now: number): Count => ({
  term: Math.max(term, last.term),
  n: Math.max(term > last.term ? 0 : last.n + 1, now),
});

/** The field of a hash that has its count, and that no app can have as its uid or name. */
export const COUNT = ':count';
