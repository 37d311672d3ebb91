import { randomBytes, randomInt } from 'node:crypto';

/**
 * The source of ids and jitter. `core/` creates the real one and injects it; tests inject one with a seed. Its values
 * may be guessable: secrets come from `secretBytes` and `secretInt`. No method depends on `this`.
 */
export interface Random {
  /** A new unique id: a UUID. */
  id(): string;
  /** Random bytes in hex, for short ids; two digits for each byte. */
  hex(bytes: number): string;
  /** At least 0 and less than 1. */
  fraction(): number;
}

/** For secrets: never injected and never seeded, so that nobody can predict them. */
export const secretBytes = (size: number): Buffer => randomBytes(size);
/** At least 0 and less than `max`; see `secretBytes`. */
export const secretInt = (max: number): number => randomInt(max);
