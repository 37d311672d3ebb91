import { isLoopback, publishedPort, variablesInContainer } from '../joining/files';
import type { WorkerSettings } from '../joining/worker-settings';
import type { MakeInput } from './container-input';
import type { ContainerSpec } from './driver';

const MB = 1024 * 1024;

/** The container of a Worker, with the same settings as the files of **Add environment** have. */
export function specOf(settings: WorkerSettings, input: MakeInput): ContainerSpec {
  const { environment, container, image, network, url } = settings;
  return {
    environment,
    name: container,
    image,
    network,
    variables: variablesInContainer(settings),
    port: Number(publishedPort(url)) || null,
    host: isLoopback(url) ? '127.0.0.1' : '',
    memory: input.memory ? input.memory * MB : null,
    cpus: input.cpus ?? null,
    request: JSON.stringify(input),
  };
}
