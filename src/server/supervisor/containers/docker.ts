import { hostname } from 'node:os';
import type { Readable } from 'node:stream';
import Docker from 'dockerode';
import { type Clock, pause } from '../../clock';
import type { SupervisorConfig } from '../../config';
import { AppSupervisorError, messageOf } from '../../errors';
import type { Log } from '../../log';
import { CONTAINER_OPTIONS } from '../joining/container-options';
import { asideOf, isAside, verdictOn } from './container-upgrade';
import { type EngineEvent, eventOf, isWanted, statusOf, textOf } from './docker-answers';
import { containerFor, LABEL, SECOND, secretsArchive, volumesOf } from './docker-spec';
import type { ContainerSpec, ContainerState, ContainerWatcher, Death, End, OwnContainer, WorkerDriver } from './driver';

/** Containers in a Docker Engine. */

const { stopWithin: STOP_WITHIN, keys: KEYS } = CONTAINER_OPTIONS;
/** Lines that are shown of a container that died. */
const LAST_LINES = 20;
/** Delay before the engine's events are asked for again, in ms. */
const RECONNECT = 5_000;
/** How often it is asked what has become of upgrades, in ms. */
const UPGRADES = 10_000;
export interface DockerDriverOptions {
  address: NonNullable<SupervisorConfig['docker']>;
  /** Of Workers; null: one of those in which the Supervisor’s own container is. */
  network: string | null;
  /** The fleet's id. */
  fleet(): string;
  clock: Clock;
  log: Log;
}

export class DockerDriver implements WorkerDriver {
  private opened: Docker | null = null;
  /** Environments whose container this process replaces right now. */
  private readonly upgrading = new Set<string>();
  /** By id, since when this process has seen a container aside, in ms. */
  private readonly aside = new Map<string, number>();

  constructor(private readonly options: DockerDriverOptions) {}

  own(): Promise<OwnContainer | null> {
    return this.asked(async () => {
      // The engine gives a container its id as its host name, unless told otherwise.
      const found = await orNull(this.engine.getContainer(hostname()).inspect());
      // Elsewhere the machine may have the name of a container.
      if (!found?.Id.startsWith(hostname())) return null;
      const networks = Object.keys(found.NetworkSettings.Networks ?? {}).filter((name) => name !== 'bridge');
      const network = this.options.network ?? networks[0];
      const named = await orNull(this.engine.getImage(found.Config.Image).inspect());
      // Its name may mean another image by now.
      const image = named?.Id === found.Image ? found.Config.Image : found.Image;
      return { image, imageId: found.Image, network: network ?? null };
    });
  }

  create(spec: ContainerSpec): Promise<void> {
    return this.asked(async () => {
      if ((await this.all(spec.environment)).length)
        throw new AppSupervisorError('CONTAINER_EXISTS', { environment: spec.environment });
      await this.make(spec);
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
      this.upgrading.add(spec.environment);
      try {
        await this.replace(spec);
      } finally {
        this.upgrading.delete(spec.environment);
      }
    });
  }

  private async replace(spec: ContainerSpec): Promise<void> {
    const { environment } = spec;
    const found = await this.all(environment);
    const left = found.find(({ isFormer }) => isFormer);
    const current = found.find(({ isFormer }) => !isFormer);
    const former = (left ?? current)?.container;
    if (!former) throw new AppSupervisorError('UNKNOWN_CONTAINER', { environment });
    try {
      if (!left) await former.rename({ name: asideOf(spec.name) });
      // What an earlier upgrade has made, and was not seen to work.
      else if (current) await this.end(current.container);
      await former.stop({ t: STOP_WITHIN }).catch(unlessSo);
      await this.make(spec);
    } catch (error) {
      await this.restore(environment).catch((cause) =>
        this.options.log.warn(`The former container does not run again: ${messageOf(cause)}`, { environment }),
      );
      throw error;
    }
  }

  /** The former container takes the place of what an upgrade has made; a repeated call changes nothing. */
  private async restore(environment: string): Promise<void> {
    const found = await this.all(environment);
    const former = found.find(({ isFormer }) => isFormer);
    if (!former) return;
    for (const { container, isFormer } of found) if (!isFormer) await this.end(container);
    await former.container.rename({ name: former.name.slice(0, -asideOf('').length) });
    await former.container.start().catch(unlessSo);
  }

  /** Decides on each container that is aside. Never rejects. */
  private async settle(watcher: ContainerWatcher): Promise<void> {
    try {
      const { mono } = this.options.clock.now();
      const all = await this.all();
      for (const former of all.filter(({ isFormer, environment }) => isFormer && !this.upgrading.has(environment))) {
        const { environment, container } = former;
        const next = all.find((each) => each.environment === environment && !each.isFormer);
        const since = this.aside.get(container.id) ?? mono;
        this.aside.set(container.id, since);
        const verdict = verdictOn(next ? await this.outcomeOf(next.container) : null, mono - since);
        if (verdict === 'remove') await container.remove({ force: true });
        if (verdict !== 'restore') continue;
        await this.restore(environment);
        watcher.restored(environment);
      }
      for (const id of this.aside.keys()) if (!all.some(({ container }) => container.id === id)) this.aside.delete(id);
    } catch (error) {
      this.options.log.warn(`An upgrade of a container could not be completed: ${messageOf(error)}`);
    }
  }

  private async outcomeOf(container: Docker.Container) {
    const { State, RestartCount } = await container.inspect();
    return { status: statusOf(State), hasRun: Date.parse(State.StartedAt) > 0, restarts: RestartCount };
  }

  remove(environment: string, { volume }: { volume: boolean }): Promise<void> {
    return this.asked(async () => {
      const found = await this.all(environment);
      if (!found.length) throw new AppSupervisorError('UNKNOWN_CONTAINER', { environment });
      const mounts = new Map<string, string>();
      for (const { container } of found) {
        const { Mounts } = await container.inspect();
        for (const { Name, Destination } of Mounts) if (Name) mounts.set(Name, Destination);
        await this.end(container);
      }
      // The secrets are made again with the container.
      for (const [name, folder] of mounts)
        if (volume || folder === KEYS) await orNull(this.engine.getVolume(name).remove());
    });
  }

  private async end(container: Docker.Container): Promise<void> {
    await container.stop({ t: STOP_WITHIN }).catch(unlessSo);
    await container.remove({ force: true });
  }

  logs(environment: string, lines: number): Promise<string[]> {
    return this.asked(async () => this.linesOf(await this.find(environment), { tail: lines }));
  }

  list(): Promise<ContainerState[]> {
    return this.asked(async () => {
      const found = await this.all();
      // Of two containers of an environment, the new one.
      const shown = found.filter(
        (each) => !each.isFormer || !found.some((other) => !other.isFormer && other.environment === each.environment),
      );
      const states = await Promise.all(shown.map(({ container }) => this.stateOf(container.id)));
      return states
        .filter((state) => state !== null)
        .sort((one, other) => (one.environment < other.environment ? -1 : 1));
    });
  }

  watch(watcher: ContainerWatcher): { close(): void } {
    const upgrades = this.options.clock.interval(UPGRADES, () => void this.settle(watcher));
    const closing = new AbortController();
    void this.follow(watcher, closing.signal);
    return {
      close() {
        upgrades.cancel();
        closing.abort();
      },
    };
  }

  /** Reads the engine's events until the signal aborts. Never rejects. */
  private async follow({ died }: ContainerWatcher, signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options;
    while (!signal.aborted) {
      /** Containers in which the engine has ended a process for lack of memory. */
      const short = new Set<string>();
      try {
        for await (const line of this.events(signal)) {
          const event = eventOf(line);
          if (event?.isOom) short.add(event.container);
          else if (event) void this.report(event, short.delete(event.container), died);
        }
      } catch (error) {
        if (!signal.aborted) log.warn(`The Docker Engine is not reached, it is tried again: ${messageOf(error)}`);
      }
      await pause(clock, RECONNECT, signal);
    }
  }

  /** One JSON object a line. */
  private async *events(abortSignal: AbortSignal): AsyncGenerator<string> {
    const filters = { type: ['container' as const], event: ['die', 'oom'], label: [this.ofFleet] };
    const stream = (await this.engine.getEvents({ filters, abortSignal })) as Readable;
    let rest = '';
    for await (const part of stream.setEncoding('utf8')) {
      const lines = `${rest}${part}`.split('\n');
      rest = lines.pop() ?? '';
      yield* lines;
    }
  }

  /** Never rejects. */
  private async report(event: EngineEvent, isOom: boolean, onDeath: (death: Death) => void): Promise<void> {
    const { environment, exitCode, container, at } = event;
    try {
      const found = await orNull(this.engine.getContainer(container).inspect());
      const isOutOfMemory = isOom || (found?.State.OOMKilled ?? false);
      if (isWanted(exitCode) && !isOutOfMemory) return;
      const until = Math.ceil(at / 1_000) + 1;
      const lines = await this.linesOf(this.engine.getContainer(container), { tail: LAST_LINES, until }).catch(
        () => [],
      );
      onDeath({ environment, exitCode, isOutOfMemory, lastLines: lines, at, id: `${container.slice(0, 12)} ${at}` });
    } catch (error) {
      this.options.log.warn(`A container that died could not be read: ${messageOf(error)}`, { environment });
    }
  }

  /** Makes and starts it; leaves nothing of one that cannot be started. */
  private async make(spec: ContainerSpec): Promise<void> {
    for (const [volume] of volumesOf(spec.name)) await this.ownVolume(volume);
    // The parameters are the body alone: engines and their proxies log addresses.
    const container = await this.engine.createContainer({
      _query: { name: spec.name },
      _body: containerFor(spec, this.options.fleet()),
    } as Docker.ContainerCreateOptions);
    try {
      await container.putArchive(secretsArchive(spec), { path: KEYS });
      await container.start();
    } catch (error) {
      await container.remove({ force: true });
      throw error;
    }
  }

  /** @throws AppSupervisorError VOLUME_FOREIGN if somebody else has made one of this name */
  private async ownVolume(volume: string): Promise<void> {
    const found = await orNull(this.engine.getVolume(volume).inspect());
    const fleet = this.options.fleet();
    if (found && found.Labels?.[LABEL.fleet] !== fleet) throw new AppSupervisorError('VOLUME_FOREIGN', { volume });
    if (found) return;
    const made = { _query: {}, _body: { Name: volume, Labels: { [LABEL.fleet]: fleet } } };
    await this.engine.createVolume(made as Docker.VolumeCreateOptions);
  }

  /** Without the server of `DOCKER_HOST`, which the library would prefer to a socket. */
  private get engine(): Docker {
    this.opened ??= new Docker({ host: undefined, port: undefined, protocol: 'http', ...this.options.address });
    return this.opened;
  }

  private get ofFleet(): string {
    return `${LABEL.fleet}=${this.options.fleet()}`;
  }

  /** Those of this fleet, or of one environment. */
  private async all(environment?: string): Promise<Found[]> {
    const label = [this.ofFleet, ...(environment === undefined ? [] : [`${LABEL.environment}=${environment}`])];
    const found = await this.engine.listContainers({ all: true, filters: { label } });
    return found.map(({ Id, Names, Labels }) => {
      const name = Names[0]?.replace(/^\//, '') ?? '';
      const container = this.engine.getContainer(Id);
      return { container, name, isFormer: isAside(name), environment: Labels[LABEL.environment] ?? '' };
    });
  }

  /** The new one of two. */
  private async find(environment: string): Promise<Docker.Container> {
    const [found] = (await this.all(environment)).sort((one, other) => Number(one.isFormer) - Number(other.isFormer));
    if (!found) throw new AppSupervisorError('UNKNOWN_CONTAINER', { environment });
    return found.container;
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

/** A container of this fleet. */
interface Found {
  container: Docker.Container;
  name: string;
  environment: string;
  /** Whether an upgrade has put it aside. */
  isFormer: boolean;
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
