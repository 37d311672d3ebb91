import path from 'node:path';
import { type Fleet, freePort, HOST, Instance } from '../../scripts/fleet';

/**
 * A second process of a worker's environment on the same main database, as replicas are: another port and storage, which
 * the fleet does not know, so that whoever makes one ends it.
 */
export async function twinOf(fleet: Fleet, environment: string): Promise<Instance> {
  const worker = fleet.worker(environment);
  const port = await freePort();
  const name = `${environment}-twin`;
  const storage = path.join(path.dirname(worker.storage), name);
  return new Instance({
    config: { name, part: 'worker', title: `Twin of ${environment}`, port, database: worker.database, env: {} },
    logFile: path.join(path.dirname(worker.logFile), `${name}.log`),
    storage,
    env: () => ({
      ...worker.env,
      APP_PORT: String(port),
      ENVIRONMENT_URL: `http://${HOST}:${port}`,
      STORAGE_PATH: storage,
      SOCKET_PATH: worker.env.SOCKET_PATH!.replace(environment, name),
    }),
    saveEnv: () => {},
    isInstalled: () => true,
    memory: undefined,
  });
}
