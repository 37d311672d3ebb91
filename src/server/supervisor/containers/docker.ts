import { hostname } from 'node:os';
import type { Readable } from 'node:stream';
import Docker from 'dockerode';
import { z } from 'zod';
import type { ContainerStatus } from '../../../shared/container';
import type { Clock, Timer } from '../../clock';
import type { SupervisorConfig } from '../../config';
import { AppSupervisorError, messageOf } from '../../errors';
import type { Log } from '../../log';
import { CONTAINER_OPTIONS } from '../joining/container-options';
import type { ContainerSpec, ContainerState, Death, End, OwnContainer, WorkerDriver } from './driver';

/** Containers in a Docker Engine. */

const LABEL = {
  fleet: 'app-supervisor.fleet',
  environment: 'app-supervisor.environment',
  request: 'app-supervisor.request',
};
/** How often a container is asked whether it is ready until it is, in s; a Docker Engine before 25 asks as often as later. */
const START_INTERVAL = 2;
const { stopWithin: STOP_WITHIN, port: PORT } = CONTAINER_OPTIONS;
const SECOND = 1_000_000_000;
/** Lines that are shown of a container that died. */
const LAST_LINES = 20;
/** Delay before the engine's events are asked for again, in ms. */
const RECONNECT = 5_000;
/** As `docker stop` leaves it, if the process does not handle the signal. */
const WANTED_CODES = [0, 143];

export interface DockerDriverOptions {
  address: NonNullable<SupervisorConfig['docker']>;
  /** The fleet's id. */
  fleet(): string;
  clock: Clock;
  log: Log;
}

export class DockerDriver implements WorkerDriver {
  private opened: Docker | null = null;

  constructor(private readonly options: DockerDriverOptions) {}

  own(): Promise<OwnContainer | null> {
    return this.asked(async () => {
      // The engine gives a container its id as its host name, unless told otherwise.
      const found = await orNull(this.engine.getContainer(hostname()).inspect());
      // Elsewhere the machine may have the name of a container.
      if (!found?.Id.startsWith(hostname())) return null;
      const [network] = Object.keys(found.NetworkSettings.Networks ?? {}).filter((name) => name !== 'bridge');
      const named = await orNull(this.engine.getImage(found.Config.Image).inspect());
      // Its name may mean another image by now.
      const image = named?.Id === found.Image ? found.Config.Image : found.Image;
      return { image, imageId: found.Image, network: network ?? null };
    });
  }

  create(spec: ContainerSpec): Promise<void> {
    return this.asked(async () => {
      const container = await this.make(spec, spec.name);
      await container.start().catch(async (error) => {
        await container.remove({ force: true });
        throw error;
      });
    }, spec.environment);
  }

  start(environment: string): Promise<void> {
    return this.asked(async () => (await this.find(environment)).start().catch(unlessSo));
  }

  stop(environment: string): Promise<void> {
    return this.asked(async () => (await this.find(environment)).stop({ t: STOP_WITHIN }).catch(unlessSo));
  }

  restart(environment: string): Promise<void> {
    return this.asked(async () => (await this.find(environment)).restart({ t: STOP_WITHIN }));
  }

  upgrade(spec: ContainerSpec): Promise<void> {
    return this.asked(async () => {
      const former = await this.find(spec.environment);
      const aside = `${spec.name}-former`;
      await former.stop({ t: STOP_WITHIN }).catch(unlessSo);
      await former.rename({ name: aside });
      let made: Docker.Container | null = null;
      try {
        made = await this.make(spec, spec.name);
        await made.start();
      } catch (error) {
        // Whatever becomes of the new one, the former one serves again.
        await made?.remove({ force: true }).catch(this.tell('The new container was not removed', spec));
        await former.start();
        await former.rename({ name: spec.name }).catch(this.tell('The former container has another name', spec));
        throw error;
      }
      await former.remove({ force: true });
    });
  }

  remove(environment: string, { volume }: { volume: boolean }): Promise<void> {
    return this.asked(async () => {
      const container = await this.find(environment);
      const { Mounts } = await container.inspect();
      await container.stop({ t: STOP_WITHIN }).catch(unlessSo);
      await container.remove({ force: true });
      if (!volume) return;
      for (const { Name } of Mounts) if (Name) await this.engine.getVolume(Name).remove();
    });
  }

  logs(environment: string, lines: number): Promise<string[]> {
    return this.asked(async () => this.linesOf(await this.find(environment), { tail: lines }));
  }

  list(): Promise<ContainerState[]> {
    return this.asked(async () => {
      const found = await this.engine.listContainers({ all: true, filters: { label: [this.ofFleet] } });
      const states = await Promise.all(found.map(({ Id }) => this.stateOf(Id)));
      return states
        .filter((state) => state !== null)
        .sort((one, other) => (one.environment < other.environment ? -1 : 1));
    });
  }

  watch(onDeath: (death: Death) => void): { close(): void } {
    const { clock, log } = this.options;
    let isOver = false;
    let stream: Readable | null = null;
    let timer: Timer | null = null;
    const again = () => {
      stream?.removeAllListeners().on('error', () => undefined);
      if (!isOver) timer = clock.timeout(RECONNECT, () => void connect());
    };
    const connect = async () => {
      try {
        const filters = { type: ['container' as const], event: ['die', 'oom'], label: [this.ofFleet] };
        stream = (await this.engine.getEvents({ filters })) as unknown as Readable;
        if (isOver) return void stream.destroy();
        const read = this.eventReader(onDeath);
        stream.on('data', (chunk: Buffer) => read(chunk)).on('close', again);
        stream.on('error', () => undefined);
      } catch (error) {
        log.warn(`The Docker Engine is not reached, it is tried again: ${messageOf(error)}`);
        again();
      }
    };
    void connect();
    return {
      close() {
        isOver = true;
        timer?.cancel();
        stream?.destroy();
      },
    };
  }

  /** @returns takes the bytes of a stream of events, one JSON object a line */
  private eventReader(onDeath: (death: Death) => void): (chunk: Buffer) => void {
    /** Containers in which the engine has ended a process for lack of memory. */
    const short = new Set<string>();
    let rest = '';
    return (chunk) => {
      const lines = (rest + chunk.toString('utf8')).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const event = eventOf(line);
        if (!event) continue;
        if (event.isOom) short.add(event.container);
        else void this.report(event, short.delete(event.container), onDeath);
      }
    };
  }

  /** Never rejects. */
  private async report(event: EngineEvent, isOom: boolean, onDeath: (death: Death) => void): Promise<void> {
    const { environment, exitCode, container, at } = event;
    try {
      const found = await orNull(this.engine.getContainer(container).inspect());
      const isOutOfMemory = isOom || (found?.State.OOMKilled ?? false);
      if (WANTED_CODES.includes(exitCode) && !isOutOfMemory) return;
      const until = Math.ceil(at / 1_000) + 1;
      const lines = await this.linesOf(this.engine.getContainer(container), { tail: LAST_LINES, until }).catch(
        () => [],
      );
      onDeath({ environment, exitCode, isOutOfMemory, lastLines: lines, at, id: `${container.slice(0, 12)} ${at}` });
    } catch (error) {
      this.options.log.warn(`A container that died could not be read: ${messageOf(error)}`, { environment });
    }
  }

  private make(spec: ContainerSpec, name: string): Promise<Docker.Container> {
    const { isReadOnly, dropped, security, temporary, storage, healthCheck, healthTimes } = CONTAINER_OPTIONS;
    const labels = {
      [LABEL.fleet]: this.options.fleet(),
      [LABEL.environment]: spec.environment,
      [LABEL.request]: spec.request,
    };
    return this.engine.createContainer({
      name,
      Image: spec.image,
      Env: spec.variables.map(([variable, value]) => `${variable}=${value}`),
      Labels: labels,
      ExposedPorts: { [`${PORT}/tcp`]: {} },
      StopTimeout: STOP_WITHIN,
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
        ReadonlyRootfs: isReadOnly,
        CapDrop: dropped,
        SecurityOpt: security,
        Tmpfs: Object.fromEntries(temporary.map(folderOf)),
        // With no more than this: without swap beyond it.
        ...(spec.memory ? { Memory: spec.memory, MemorySwap: spec.memory } : {}),
        ...(spec.cpus ? { NanoCpus: Math.round(spec.cpus * SECOND) } : {}),
        ...(spec.network ? { NetworkMode: spec.network } : {}),
        ...(spec.port ? { PortBindings: { [`${PORT}/tcp`]: [{ HostPort: String(spec.port) }] } } : {}),
        Mounts: [{ Type: 'volume', Source: `${spec.name}-storage`, Target: storage }],
      },
    });
  }

  /** Without the server of `DOCKER_HOST`, which the library would prefer to a socket. */
  private get engine(): Docker {
    this.opened ??= new Docker({ host: undefined, port: undefined, protocol: 'http', ...this.options.address });
    return this.opened;
  }

  private get ofFleet(): string {
    return `${LABEL.fleet}=${this.options.fleet()}`;
  }

  private tell(what: string, { environment }: ContainerSpec): (error: unknown) => void {
    return (error) => this.options.log.warn(`${what}: ${messageOf(error)}`, { environment });
  }

  private async find(environment: string): Promise<Docker.Container> {
    const label = [this.ofFleet, `${LABEL.environment}=${environment}`];
    const [found] = await this.engine.listContainers({ all: true, filters: { label } });
    if (!found) throw new AppSupervisorError('UNKNOWN_CONTAINER', { environment });
    return this.engine.getContainer(found.Id);
  }

  /** Null if it has just gone. */
  private async stateOf(id: string): Promise<ContainerState | null> {
    const container = this.engine.getContainer(id);
    const found = await orNull(container.inspect());
    if (!found) return null;
    const { State, HostConfig, Config } = found;
    const status = statusOf(State);
    const isOver = status === 'died' || status === 'restarting';
    const end: End | null = isOver
      ? {
          exitCode: State.ExitCode,
          isOutOfMemory: State.OOMKilled,
          lastLines: await this.linesOf(container, { tail: LAST_LINES }),
        }
      : null;
    const since = Date.parse(status === 'running' || status === 'starting' ? State.StartedAt : State.FinishedAt);
    return {
      environment: Config.Labels[LABEL.environment] ?? '',
      name: found.Name.replace(/^\//, ''),
      image: Config.Image,
      imageId: found.Image,
      request: Config.Labels[LABEL.request] ?? '',
      status,
      since: Math.max(0, since),
      restarts: found.RestartCount,
      end,
      memory: HostConfig.Memory || null,
      cpus: HostConfig.NanoCpus ? HostConfig.NanoCpus / SECOND : null,
    };
  }

  private async linesOf(container: Docker.Container, which: { tail: number; until?: number }): Promise<string[]> {
    const raw = await container.logs({ stdout: true, stderr: true, follow: false, ...which });
    return textOf(raw)
      .split('\n')
      .map((line) => line.trimEnd())
      .filter(Boolean)
      .slice(-which.tail);
  }

  private async asked<T>(work: () => Promise<T>, environment?: string): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (error instanceof AppSupervisorError) throw error;
      const { statusCode, json } = error as { statusCode?: number; json?: { message?: string } };
      if (statusCode === 409 && environment) throw new AppSupervisorError('CONTAINER_EXISTS', { environment });
      throw new AppSupervisorError('ENGINE_FAILED', { cause: json?.message ?? messageOf(error) });
    }
  }
}

/** @param text `path[:options]` */
function folderOf(text: string): [path: string, options: string] {
  const [folder, ...options] = text.split(':');
  return [folder, options.join(':')];
}

function statusOf(state: Docker.ContainerInspectInfo['State']): ContainerStatus {
  switch (state.Status) {
    case 'running':
      if (state.Health?.Status === 'starting') return 'starting';
      return state.Health?.Status === 'unhealthy' ? 'unhealthy' : 'running';
    case 'restarting':
      return 'restarting';
    case 'exited':
    case 'dead':
      return WANTED_CODES.includes(state.ExitCode) && !state.OOMKilled ? 'stopped' : 'died';
    default:
      return 'stopped';
  }
}

interface EngineEvent {
  environment: string;
  container: string;
  isOom: boolean;
  exitCode: number;
  /** In ms since 1970. */
  at: number;
}

const engineEvent = z.object({
  Action: z.string(),
  Actor: z.object({ ID: z.string(), Attributes: z.record(z.string(), z.string()) }),
  timeNano: z.number(),
});

function eventOf(line: string): EngineEvent | null {
  if (!line.trim()) return null;
  try {
    const { Action, Actor, timeNano } = engineEvent.parse(JSON.parse(line));
    return {
      environment: Actor.Attributes[LABEL.environment] ?? '',
      container: Actor.ID,
      isOom: Action === 'oom',
      exitCode: Number(Actor.Attributes.exitCode ?? 0),
      at: Math.floor(timeNano / 1e6),
    };
  } catch {
    return null;
  }
}

/** Output of a container without a terminal: each part has a head of 8 bytes with its length at its end. */
function textOf(raw: Buffer): string {
  let text = '';
  for (let at = 0; at + 8 <= raw.length; ) {
    const length = raw.readUInt32BE(at + 4);
    text += raw.toString('utf8', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return text;
}

/** Null instead of a 404 of the engine. */
const orNull = <T>(asked: Promise<T>): Promise<T | null> =>
  asked.catch((error) => {
    if ((error as { statusCode?: number }).statusCode === 404) return null;
    throw error;
  });

/** It is as wanted already: the engine answers 304. */
const unlessSo = (error: { statusCode?: number }): void => {
  if (error.statusCode !== 304) throw error;
};
