import path from 'node:path';
import { type Fleet, freePort, HOST, Instance } from '../../scripts/fleet';

/**
 * A second process of a worker's environment on the same main database, as replicas are: another port and storage, which
 * the fleet does not know, so that whoever makes one ends it.
 */
export const twinOf = (fleet: Fleet, environment: string): Promise<Instance> => {
  const worker = fleet.worker(environment);
  return besides(worker, `${environment}-twin`, (url) => ({ ENVIRONMENT_URL: url }));
};

/** Another process on an instance's main database. @param more its own environment variables, given its address */
export async function besides(
  instance: Instance,
  name: string,
  more: (url: string) => Record<string, string>,
): Promise<Instance> {
  const port = await freePort();
  const storage = path.join(path.dirname(instance.storage), name);
  const socket = path.join(path.dirname(instance.env.SOCKET_PATH!), `${name}.sock`);
  return new Instance({
    config: { name, part: 'worker', title: name, port, database: instance.database, env: {} },
    logFile: path.join(path.dirname(instance.logFile), `${name}.log`),
    storage,
    env: () => ({
      ...instance.env,
      APP_PORT: String(port),
      ...more(`http://${HOST}:${port}`),
      STORAGE_PATH: storage,
      SOCKET_PATH: socket,
    }),
    saveEnv: () => {},
    isInstalled: () => true,
    memory: undefined,
  });
}
