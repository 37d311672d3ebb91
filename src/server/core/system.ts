import { randomBytes, randomUUID } from 'node:crypto';
import type { Random } from '../random';

/** The random generator of this machine. */
export const systemRandom: Random = {
  id: () => randomUUID(),
  hex: (bytes) => randomBytes(bytes).toString('hex'),
  fraction: () => Math.random(),
};
