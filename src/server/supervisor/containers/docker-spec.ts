import type Docker from 'dockerode';
import { CONTAINER_OPTIONS } from '../joining/container-options';
import { COMMAND, dividedVariables, SECRETS_FILE } from '../joining/files';
import type { ContainerSpec } from './driver';

/** What a Docker Engine is asked for. Pure functions. */

export const LABEL = {
  fleet: 'app-supervisor.fleet',
  environment: 'app-supervisor.environment',
  request: 'app-supervisor.request',
};
/** How often a container is asked whether it is ready until it is, in s; a Docker Engine before 25 asks as often as later. */
const START_INTERVAL = 2;
export const SECOND = 1_000_000_000;
const { stopWithin, port: PORT, storage, keys } = CONTAINER_OPTIONS;

/** The volumes of a container, and where they are mounted. */
export const volumesOf = (name: string): [volume: string, folder: string][] => [
  [`${name}-storage`, storage],
  [`${name}-keys`, keys],
];

/** @param fleet its id */
export function containerFor(spec: ContainerSpec, fleet: string): Docker.ContainerCreateOptions {
  const { dropped, security, temporary, healthCheck, healthTimes, processes, log } = CONTAINER_OPTIONS;
  const { network, port } = spec;
  return {
    Image: spec.image,
    Cmd: COMMAND,
    Env: dividedVariables(spec.variables).open.map(([variable, value]) => `${variable}=${value}`),
    Labels: {
      [LABEL.fleet]: fleet,
      [LABEL.environment]: spec.environment,
      [LABEL.request]: spec.request,
    },
    ExposedPorts: { [`${PORT}/tcp`]: {} },
    StopTimeout: stopWithin,
    Healthcheck: {
      Test: ['CMD', 'node', '-e', healthCheck],
      Interval: healthTimes.interval * SECOND,
      Timeout: healthTimes.timeout * SECOND,
      Retries: healthTimes.retries,
      StartPeriod: healthTimes.startPeriod * SECOND,
      StartInterval: START_INTERVAL * SECOND,
    },
    HostConfig: {
      Init: true,
      RestartPolicy: { Name: 'unless-stopped' },
      ReadonlyRootfs: true,
      CapDrop: dropped,
      SecurityOpt: security,
      Tmpfs: Object.fromEntries(temporary.map(folderOf)),
      PidsLimit: processes,
      LogConfig: { Type: 'json-file', Config: { 'max-size': log.size, 'max-file': log.files } },
      // With no more than this: without swap beyond it.
      ...(spec.memory ? { Memory: spec.memory, MemorySwap: spec.memory } : {}),
      ...(spec.cpus ? { NanoCpus: Math.round(spec.cpus * SECOND) } : {}),
      ...(network ? { NetworkMode: network } : {}),
      ...(port ? { PortBindings: { [`${PORT}/tcp`]: [{ HostIp: spec.host, HostPort: String(port) }] } } : {}),
      Mounts: volumesOf(spec.name).map(([Source, Target]) => ({ Type: 'volume', Source, Target })),
    },
    // It keeps this one while it is renamed.
    ...(network ? { NetworkingConfig: { EndpointsConfig: { [network]: { Aliases: [spec.name] } } } } : {}),
  };
}

/** The file that `COMMAND` reads, as an archive for the folder of the secrets. */
export function secretsArchive({ variables }: ContainerSpec): Buffer {
  const content = Buffer.from(
    dividedVariables(variables)
      .secrets.map((line) => `${line}\n`)
      .join(''),
  );
  const name = SECRETS_FILE.slice(keys.length + 1);
  return Buffer.concat([
    tarHeader(name, content.length),
    content,
    Buffer.alloc(-content.length & 511),
    Buffer.alloc(1_024),
  ]);
}

/** Of one file in an archive (POSIX.1-1988), which the image's user alone reads. */
function tarHeader(name: string, size: number): Buffer {
  const header = Buffer.alloc(512);
  const put = (text: string, at: number) => header.write(text, at, 'latin1');
  const octal = (value: number, length: number) => value.toString(8).padStart(length - 1, '0');
  put(name, 0);
  put(octal(0o400, 8), 100);
  put(octal(1_000, 8), 108);
  put(octal(1_000, 8), 116);
  put(octal(size, 12), 124);
  put(octal(0, 12), 136);
  put(' '.repeat(8), 148);
  put('0', 156);
  put('ustar', 257);
  put('00', 263);
  put(
    octal(
      header.reduce((sum, byte) => sum + byte, 0),
      7,
    ),
    148,
  );
  return header;
}

/** @param text `path[:options]` */
function folderOf(text: string): [path: string, options: string] {
  const [folder, ...options] = text.split(':');
  return [folder, options.join(':')];
}
