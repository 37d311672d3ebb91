import type { Arrival, JoinAnswer, JoinRequest } from '../../../shared/join';
import { type Message, say } from '../../../shared/message';
import type { Clock } from '../../clock';
import { createMainDatabase, type DatabaseConnection, dropMainDatabase, type WorkerDatabase } from '../../databases';
import { AppSupervisorError, describeError } from '../../errors';
import type { Keyring } from '../../protocol/keyring';
import type { Random } from '../../random';
import type { OwnFacts } from '../checklist/facts';
import { changed } from '../definitions/change-events';
import type { EventStore } from '../definitions/event-store';
import { checkReach, probe } from '../fleet/reachability';
import { type WarningsOptions, warningsOf } from '../fleet/warnings';
import { filesOf } from './files';
import { arrivalOf } from './joined-worker';
import { databaseOf } from './names';
import { initialPasswordOf, type JoinFacts, settingsFor, type WorkerSettings } from './worker-settings';

export interface EnvironmentJoinsOptions extends WarningsOptions {
  own(): OwnFacts;
  /** The Supervisor's main database. */
  database(): DatabaseConnection;
  /** Absent, or without a key of the fleet, in shared memory, where there are no Workers. */
  keyring?: Pick<Keyring, 'fleetKey' | 'floorOf'>;
  wsPath: string;
  events: Pick<EventStore, 'append'>;
  clock: Clock;
  random: Random;
  /** Replaced by tests. @returns whether it was not there */
  createDatabase?(connection: WorkerDatabase): Promise<boolean>;
  dropDatabase?(connection: WorkerDatabase): Promise<void>;
}

export interface Prepared {
  settings: WorkerSettings;
  /** Removes what was made for it, if the Worker cannot be made. */
  takeBack(): Promise<void>;
}

/** Environments that are added: how their Workers are started, and what is known of them until they have joined. */
export class EnvironmentJoins {
  constructor(private readonly options: EnvironmentJoinsOptions) {}

  /**
   * The answer has the secrets of the new environment, so the request is recorded before anything else.
   * @throws AppSupervisorError NOT_ON_THIS_PART in shared memory, INVALID_INPUT
   */
  async join(request: JoinRequest, userId: string | null): Promise<JoinAnswer> {
    const { events, clock, random, createDatabase = createMainDatabase } = this.options;
    const facts = await this.facts(request.name);
    this.assertOwnNames(request.name);
    const { name } = request;
    const message = say('JOIN_REQUESTED', { environment: name });
    const said = { environment: name, message, createdById: userId, at: clock.now().wall };
    await events.append([changed(name, said, random.hex(4))]);
    const settings = settingsFor(facts, request);
    await this.expect(settings);
    // As the role of all Workers; a role of its own is made by an administrator.
    const unmade = facts.join.role ? await createDatabase(settings.database).then(() => null, describeError) : null;
    return {
      name,
      files: filesOf(settings, initialPasswordOf(facts, name)),
      steps: settings.steps,
      warnings: [
        ...this.known(name),
        ...this.taken(settings),
        ...(unmade ? [say('JOIN_NO_DATABASE', { database: settings.database.database, cause: unmade })] : []),
        ...settings.warnings,
      ],
    };
  }

  /** @param address where the Supervisor reaches the Worker */
  async arrival({ name, address }: { name: string; address: string }): Promise<Arrival> {
    const { observer, environmentCache } = this.options;
    const { host } = await this.facts(name);
    const answered = await probe(address, host.apiBasePath);
    // One that is ready has registered before.
    await observer.poll();
    const view = observer.environment(name);
    const registration = environmentCache.registrationOf(name);
    const isThere = registration !== null && (view?.health === 'online' || view?.health === 'suspect');
    return arrivalOf({
      environment: name,
      address,
      health: registration ? (view?.health ?? 'unknown') : null,
      trouble: view?.trouble ?? null,
      probe: answered,
      warnings: isThere ? warningsOf(name, this.options) : [],
      unreached: isThere ? await this.unreached(environmentCache.addressOf(name) ?? '') : [],
    });
  }

  /**
   * Makes the main database, for a Worker that this process starts itself.
   * @throws AppSupervisorError NOT_ON_THIS_PART, INVALID_INPUT, DATABASE_…
   */
  async prepare(request: JoinRequest): Promise<Prepared> {
    const { createDatabase = createMainDatabase, dropDatabase = dropMainDatabase } = this.options;
    const facts = await this.facts(request.name);
    this.assertOwnNames(request.name);
    const settings = settingsFor(facts, request);
    await this.expect(settings);
    const isNew = facts.join.role !== null && (await createDatabase(settings.database));
    return { settings, takeBack: async () => (isNew ? dropDatabase(settings.database) : undefined) };
  }

  private async facts(environment: string): Promise<JoinFacts> {
    const { own, database, keyring, environmentCache } = this.options;
    const { config } = own();
    if (config.part !== 'supervisor' || !keyring?.fleetKey)
      throw new AppSupervisorError('NOT_ON_THIS_PART', { part: config.part });
    const { redis, host, join } = config;
    // Another Supervisor may have forgotten it a moment ago.
    await environmentCache.load();
    const floor = keyring.floorOf(environment);
    return { redis, host, join, fleetKey: keyring.fleetKey, floor, database: database() };
  }

  /** Environments with one main database, or one container, would take each other's place. */
  private assertOwnNames(name: string): void {
    const other = this.options.environmentCache
      .names()
      .find((known) => known !== name && databaseOf(known) === databaseOf(name));
    if (other === undefined) return;
    throw new AppSupervisorError(
      'INVALID_INPUT',
      { problem: say('INPUT_NAME_LIKE', { field: 'name', other }) },
      'name',
    );
  }

  /** Instructions for an environment that is there start a second process of it, which is a standby. */
  private known(environment: string): Message[] {
    return this.options.environmentCache.registrationOf(environment) ? [say('JOIN_NAME_TAKEN', { environment })] : [];
  }

  /** Where its Worker will say that it is reached: as a process or in Kubernetes, and in a container. */
  private expect({ environment, url, proxyUrl, network, container }: WorkerSettings): Promise<void> {
    const inNetwork = network ? [`http://${container}`] : [];
    return this.options.environmentCache.expect(environment, proxyUrl ? [proxyUrl] : [url, ...inNetwork]);
  }

  private taken({ environment, url, proxyUrl }: WorkerSettings): Message[] {
    const { environmentCache } = this.options;
    const wanted = [url, proxyUrl].filter(Boolean);
    return environmentCache.names().flatMap((other) => {
      const registration = environmentCache.registrationOf(other);
      const address = [registration?.url, registration?.proxyUrl].find((each) => each && wanted.includes(each));
      return address && other !== environment ? [say('JOIN_ADDRESS_TAKEN', { address, environment: other })] : [];
    });
  }

  private async unreached(proxyUrl: string): Promise<Message[]> {
    if (!proxyUrl) return [];
    const { wsPath, clock } = this.options;
    const { web, ws } = await checkReach(proxyUrl, wsPath, clock.now().wall);
    if (web.message.code === 'REACH_CLOCK') return [web.message];
    // Without the one, there is not the other either.
    const failure = [web, ws].find(({ ok }) => !ok);
    return failure ? [say('JOIN_UNREACHED', { address: proxyUrl, cause: failure.message })] : [];
  }
}
