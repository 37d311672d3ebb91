import path from 'node:path';
import { type Fleet, freePort, HOST, Instance } from '../../scripts/fleet';
import type { InstanceConfig } from '../../scripts/fleet/config';

/**
 * A second process of an instance on the same main database, as replicas are: another port and storage, which the fleet does
 * not know, so that whoever makes one ends it.
 *
 * @param original `supervisor`, or an environment
 */
export const replicaOf = (fleet: Fleet, original: string): Promise<Instance> => {
  const index = fleet.config.instances.findIndex((instance) => instance.name === original);
  const { part } = fleet.config.instances[index];
  const more = (url: string): Record<string, string> => (part === 'worker' ? { ENVIRONMENT_URL: url } : {});
  return anotherProcess(fleet.instances[index], `${original}-replica`, more, part);
};

/** Another process on an instance's main database. @param more its own environment variables, given its address */
export async function anotherProcess(
  instance: Instance,
  name: string,
  more: (url: string) => Record<string, string>,
  part: InstanceConfig['part'] = 'worker',
): Promise<Instance> {
  const port = await freePort();
  const storage = path.join(path.dirname(instance.storage), name);
  const socket = path.join(path.dirname(instance.env.SOCKET_PATH!), `${name}.sock`);
  return new Instance({
    config: { name, part, title: name, port, database: instance.database, env: {} },
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
