import { beforeAll } from 'vitest';
import { sharedFleet } from '../setup/fleet';
import { Manager } from '../support/manager';
import { postgresData } from '../support/shared-memory';
import { conforms, type Ground } from './conformance-suite';

/** A fleet: what it has in common with shared memory (shared-memory.test.ts). */

let ground: Ground;

beforeAll(async () => {
  const fleet = await sharedFleet();
  ground = {
    manager: await Manager.of(fleet),
    entry: fleet.supervisor,
    host: fleet.worker('env_a'),
    ...postgresData(fleet.postgresServer),
  };
});

conforms({ remote: true, environment: 'env_a' }, () => ground);
