import { beforeAll, describe } from 'vitest';
import { type Fleet, query } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { Manager } from '../support/manager';
import { conforms, type Ground } from './conformance-suite';

describe('a fleet', () => {
  let ground: Ground;

  beforeAll(async () => {
    const fleet = await sharedFleet();
    ground = {
      manager: await Manager.of(fleet),
      entry: fleet.supervisor,
      host: fleet.worker('env_a'),
      ...postgresData(fleet),
    };
  });

  conforms({ remote: true, environment: 'env_a' }, () => ground);
});

function postgresData({ postgresServer }: Fleet): Pick<Ground, 'hasData' | 'dropData'> {
  return {
    hasData: async (name) =>
      (await query(postgresServer, 'postgres', 'SELECT 1 FROM pg_database WHERE datname = $1', [name])).rowCount === 1,
    dropData: async (name) => {
      await query(postgresServer, 'postgres', `DROP DATABASE IF EXISTS "${name}" WITH (FORCE)`);
    },
  };
}
