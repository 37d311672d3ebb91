import { beforeAll } from 'vitest';
import { sharedFleet } from '../setup/fleet';
import { sharedTarget, type TestTarget } from '../support/test-targets';
import { conforms } from './conformance-suite';

/** A fleet: what it has in common with shared memory (shared-memory.test.ts). */

let target: TestTarget;

beforeAll(async () => {
  target = await sharedTarget(await sharedFleet());
});

conforms({ remote: true, environment: 'env_a' }, () => target);
