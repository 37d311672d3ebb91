import { beforeAll } from 'vitest';
import { sharedFleet } from '../setup/fleet';
import { type Ground, sharedGround } from '../support/grounds';
import { conforms } from './conformance-suite';

/** A fleet: what it has in common with shared memory (shared-memory.test.ts). */

let ground: Ground;

beforeAll(async () => {
  ground = await sharedGround(await sharedFleet());
});

conforms({ remote: true, environment: 'env_a' }, () => ground);
