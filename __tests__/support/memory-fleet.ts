import type { Application } from '@nocobase/server';
import { collections } from '../../src/server/core/collections';
import { Feed } from '../../src/server/feed';
import { type Audience, isForOthers, type MessageBus } from '../../src/server/protocol/bus';
import { createInput, parseInput } from '../../src/server/supervisor/definitions/input';
import type { AppDefinition } from '../../src/server/supervisor/definitions/repository';
import { SupervisorPart } from '../../src/server/supervisor/supervisor';
import type { StatusEntry } from '../../src/shared/messages';
import type { Operation } from '../../src/shared/operation';
import { Announcing } from './announcing';
import { FakeClock } from './clock';
import { entryOf, registrationOf } from './fixtures';
import { type RecordedLog, recordedLog } from './log';
import { type Gate, MemoryDatabase } from './memory-database';
import { OWN_FACTS } from './own-facts';
import { SeededRandom } from './random';
import { recordIn } from './records';
import { TestStores } from './stores';

export interface MemorySupervisor {
  part: SupervisorPart;
  log: RecordedLog;
  /** Hears no other Supervisor while it is set. */
  isDeaf: boolean;
  /** What each of its statements passes. */
  gate: Gate;
}

/**
 * Supervisors on one database, one store and one clock, all in memory. Of the environments only what they say is there: a test says it
 * for them.
 */
export class MemoryFleet {
  readonly clock = new FakeClock();
  readonly database = new MemoryDatabase(collections);
  readonly stores = new TestStores({ clock: this.clock, random: new SeededRandom(2), isAlone: false });
  readonly supervisors: MemorySupervisor[] = [];
  /** Environments whose Workers answer that they host them. */
  readonly hosting = new Set<string>();
  /** Whether variables of the Supervisors name the addresses of environments. */
  isNamed = true;
  /** What Workers answer to requests. */
  answer: MessageBus['request'] = async () => {
    throw new Error('Nobody answers.');
  };
  private readonly epochs = new Map<string, number>();
  readonly announcing = new Announcing(() => this.stores.leases);
  private versions = 0;

  /** The first one leads. @param prepare gets it before it starts */
  async supervisor(prepare: (made: MemorySupervisor) => void = () => undefined): Promise<MemorySupervisor> {
    const { clock, stores } = this;
    const instance = `supervisor-${this.supervisors.length + 1}`;
    const log = recordedLog();
    const made: MemorySupervisor = { part: null as never, log, isDeaf: false, gate: (statement) => statement() };
    this.supervisors.push(made);
    const db = this.database.connect(
      instance,
      (statement) => made.gate(statement),
      () => clock.wall,
    );
    made.part = new SupervisorPart({
      stores,
      bus: this.busOf(made),
      instance,
      aesKey: null,
      clock,
      random: new SeededRandom(this.supervisors.length),
      log,
      warnings: [],
      wsPath: '/ws',
      publicUrl: 'https://main.example.test',
      schemaByDefault: false,
      defaultEnvironments: null,
      findInstalled: async () => [],
      own: () => OWN_FACTS,
      addressesOf: (name) => (this.isNamed ? [registrationOf(name).proxyUrl] : []),
      hosts: async (url) => [...this.hosting].some((name) => url === registrationOf(name).proxyUrl),
    });
    prepare(made);
    made.part.start({ name: 'main', db, getPackageVersion: () => '2.2.15' } as unknown as Application);
    await clock.run(100);
    return made;
  }

  /** An environment is there from now on, as long as it beats, and says this of itself. */
  async environment(name: string, values: Parameters<typeof registrationOf>[1] = {}): Promise<void> {
    this.announcing.register(registrationOf(name, values));
    await this.beat(name);
    await this.clock.run(1_100);
  }

  async beat(name: string): Promise<void> {
    this.epochs.set(name, await this.announcing.beat(name));
  }

  /** Time passes, with beats of these environments. */
  async run(ms: number, ...beating: string[]): Promise<void> {
    for (let left = ms; left > 0; left -= 4_000) {
      for (const name of beating) await this.beat(name);
      await this.clock.run(Math.min(left, 4_000));
    }
  }

  /** An environment says of an app what it is, by default that it did what its newest record asks for. */
  async says(environment: string, name: string, values: Partial<StatusEntry> = {}): Promise<void> {
    const record = await recordIn(this.stores.records, environment, name);
    const { generation = 1, boot, uid = 'uid-1' } = record ?? {};
    const entry = entryOf({ name, uid, generation, bootGeneration: boot?.generation ?? generation, ...values });
    const { version: before } = await this.stores.statuses.mark(environment);
    await this.stores.statuses.write({
      environment,
      instance: 'one',
      epoch: this.epochs.get(environment) ?? 0,
      entries: [entry],
      removed: [],
      version: ++this.versions,
      from: before,
    });
    await this.clock.run(1_100);
  }

  /** An app that runs in these environments. */
  async runningApp({ part }: MemorySupervisor, name: string, environments: string[]): Promise<void> {
    const input = parseInput(createInput, { name, title: name, environments });
    await part.parts.service.create({ ...input, initialAdmin: null }, '1');
    await this.clock.run(100);
    // Once more by the record that it gets when it has its database.
    for (const environment of [...environments, ...environments]) {
      await this.beat(environment);
      await this.says(environment, name);
    }
    await this.clock.run(100);
  }

  app(name: string): AppDefinition {
    return this.database.visible('apps').find((row) => row.name === name) as unknown as AppDefinition;
  }

  operation(id: string): Operation {
    return this.database.visible('appOperations').find((row) => row.id === id) as unknown as Operation;
  }

  /** Unfinished operations. */
  get open(): Operation[] {
    return (this.database.visible('appOperations') as unknown as Operation[]).filter(
      ({ finishedAt }) => finishedAt === null,
    );
  }

  private readonly listeners: Array<{ of: MemorySupervisor; me: Audience; listener: (names: string[]) => void }> = [];

  private busOf(own: MemorySupervisor): MessageBus {
    return {
      returns: new Feed(),
      open: () => undefined,
      close: async () => undefined,
      notify: (to, names) => {
        for (const { of, me, listener } of this.listeners) {
          if (me !== to || of.isDeaf || (of === own && isForOthers(to))) continue;
          this.clock.timeout(0, () => listener(names));
        }
      },
      onNotify: async (me, listener) => void this.listeners.push({ of: own, me, listener }),
      request: (...request) => this.answer(...request),
      serve: async () => undefined,
      ask: () => Promise.reject(new Error('No Worker asks here.')),
      serveWorkers: async () => undefined,
    };
  }
}
