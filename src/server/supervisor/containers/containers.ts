import type { ContainerAction, ContainerRow } from '../../../shared/container';
import { type Message, say } from '../../../shared/message';
import { pick } from '../../../shared/pick';
import { AppSupervisorError } from '../../errors';
import { eventOf } from '../definitions/change-events';
import type { ChangeJournal } from '../events/journal';
import type { EventRecorder } from '../events/recorder';
import type { EnvironmentJoins } from '../joining/joins';
import { type MakeInput, makeInput, type RemoveInput } from './container-input';
import { specOf } from './container-spec';
import type { ContainerState, Death, End, OwnContainer, WorkerDriver } from './driver';

export interface ContainersOptions {
  /** Null: the Supervisor was given no engine. */
  driver: WorkerDriver | null;
  joins: Pick<EnvironmentJoins, 'prepare'>;
  /** Apps that have their files in this environment alone. */
  appsOnlyIn(environment: string): string[];
  journal: Pick<ChangeJournal, 'ofEnvironment'>;
  recorder: Pick<EventRecorder, 'record'>;
}

/** Containers of Workers that this Supervisor makes itself. Each change is recorded. */
export class Containers {
  private watching: { close(): void } | null = null;

  constructor(private readonly options: ContainersOptions) {}

  /** Records from now on what dies. */
  start(): void {
    this.watching ??=
      this.options.driver?.watch({
        died: (death) => this.noteDeath(death),
        restored: (environment) => void this.options.journal.ofEnvironment(environment, 'restoreContainer', null),
      }) ?? null;
  }

  stop(): void {
    this.watching?.close();
    this.watching = null;
  }

  /** @throws AppSupervisorError ENGINE_OFF, ENGINE_FAILED */
  async list(): Promise<ContainerRow[]> {
    const { driver } = this;
    const [own, states] = await Promise.all([driver.own(), driver.list()]);
    return states.map((state) => rowOf(state, own));
  }

  /** @throws AppSupervisorError CONTAINER_EXISTS, ENGINE_OFF, ENGINE_FAILED, DATABASE_… */
  async create(input: MakeInput, userId: string | null): Promise<ContainerRow | null> {
    const { journal } = this.options;
    const { spec, takeBack } = await this.specOf(input, await this.driver.own());
    await this.driver.create(spec).catch(async (error) => {
      await takeBack();
      throw error;
    });
    await journal.ofEnvironment(input.name, 'createContainer', userId);
    return this.row(input.name);
  }

  /**
   * Deletes it, and with its volume only what apps have elsewhere, too, unless that is confirmed.
   * @throws AppSupervisorError VOLUME_NEEDED, UNKNOWN_CONTAINER, ENGINE_OFF, ENGINE_FAILED
   */
  async destroy(environment: string, userId: string | null, { volume, confirm }: RemoveInput): Promise<void> {
    const apps = volume === 'drop' && confirm !== environment ? this.options.appsOnlyIn(environment) : [];
    if (apps.length) throw new AppSupervisorError('VOLUME_NEEDED', { environment, apps: apps.join(', ') });
    await this.driver.remove(environment, { volume: volume === 'drop' });
    await this.options.journal.ofEnvironment(environment, 'destroyContainer', userId);
  }

  /** @throws AppSupervisorError UNKNOWN_CONTAINER, ENGINE_OFF, ENGINE_FAILED */
  async act(action: Exclude<ContainerAction, 'destroy'>, environment: string, userId: string | null) {
    const { driver } = this;
    if (action === 'upgrade') await this.upgrade(environment);
    else await driver[action](environment);
    await this.options.journal.ofEnvironment(environment, `${action}Container`, userId);
    return this.row(environment);
  }

  /** @throws AppSupervisorError UNKNOWN_CONTAINER, ENGINE_OFF, ENGINE_FAILED */
  logs(environment: string, lines: number): Promise<string[]> {
    return this.driver.logs(environment, lines);
  }

  /** To the image and the settings that this Supervisor has now. */
  private async upgrade(environment: string): Promise<void> {
    const state = (await this.driver.list()).find((each) => each.environment === environment);
    if (!state) throw new AppSupervisorError('UNKNOWN_CONTAINER', { environment });
    const { spec } = await this.specOf(makeInput.parse(JSON.parse(state.request)), await this.driver.own());
    await this.driver.upgrade(spec);
  }

  private async specOf(input: MakeInput, own: OwnContainer | null) {
    const { memory, cpus, ...request } = input;
    const where = { ...request, image: own?.image, network: own?.network ?? undefined };
    const { settings, takeBack } = await this.options.joins.prepare(where);
    return { spec: specOf(settings, input), takeBack };
  }

  private async row(environment: string): Promise<ContainerRow | null> {
    return (await this.list()).find((row) => row.environment === environment) ?? null;
  }

  private get driver(): WorkerDriver {
    const { driver } = this.options;
    if (!driver) throw new AppSupervisorError('ENGINE_OFF');
    return driver;
  }

  private noteDeath({ environment, id, at, ...end }: Death): void {
    const message = say('CONTAINER_DIED', { environment });
    this.options.recorder.record(
      eventOf({ id: `container ${id}`, kind: 'crash', environment, message, cause: causeOf(end), at }),
    );
  }
}

/** Maximum length of the last lines in an event, in characters. */
const LONGEST = 2_000;

function causeOf({ exitCode, isOutOfMemory, lastLines }: End): Message {
  const lines = lastLines.join('\n').slice(-LONGEST);
  return say(isOutOfMemory ? 'CONTAINER_OUT_OF_MEMORY' : 'CONTAINER_EXIT', { code: exitCode, lines });
}

function rowOf({ imageId, end, ...state }: ContainerState, own: OwnContainer | null): ContainerRow {
  return {
    ...pick(state, ['environment', 'name', 'image', 'status', 'since', 'restarts', 'memory', 'cpus']),
    isOutdated: own !== null && own.imageId !== imageId,
    cause: end && causeOf({ ...end, lastLines: [] }),
    lastLines: end?.lastLines ?? [],
  };
}
