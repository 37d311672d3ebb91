import type { AppDefinition, Published } from '../../src/server/supervisor/definitions/repository';
import { plan } from '../../src/server/supervisor/rollout/plan';
import { followed } from '../../src/server/supervisor/rollout/progress';
import type { Plan, Planned } from '../../src/server/supervisor/rollout/sight';
import type { Message } from '../../src/shared/message';
import type { StatusEntry } from '../../src/shared/messages';
import type { Operation } from '../../src/shared/operation';
import type { Health } from '../../src/shared/types';
import { appOf, entryOf } from './fixtures';

/** One app, what is published of it, and what its Workers report: `plan` called as the leader calls it. */
export class PlannedApp {
  app: AppDefinition;
  ending: Planned['ending'] = null;
  readonly entries = new Map<string, StatusEntry>();
  readonly health = new Map<string, Health>();
  readonly forgotten = new Set<string>();
  /** Environments that are to be admitted. */
  readonly closed = new Set<string>();
  readonly outdated = new Set<string>();
  taken: string[] = [];
  stopsOnFailure = true;
  asked = 0;
  agrees = true;
  passwords = 0;
  now = 1_000;
  /** What was published, as `env_a running 1001`. */
  readonly published: string[] = [];
  heals: Plan['heals'][] = [];
  operation: Operation | null = null;

  constructor(values: Partial<AppDefinition> = {}) {
    this.app = appOf({ published: {}, ...values });
  }

  readonly observe = (environment: string) => {
    const health = this.health.get(environment) ?? 'online';
    const isSeen = health === 'online' || health === 'suspect';
    return {
      health,
      entry: isSeen && !this.closed.has(environment) ? (this.entries.get(environment) ?? null) : null,
      address: `http://${environment}`,
      isAdmitted: !this.closed.has(environment),
      isKnown: !this.forgotten.has(environment),
      isCurrent: !this.outdated.has(environment),
    };
  };

  /** The next step. */
  next(): Plan {
    const { app, ending, observe, taken, stopsOnFailure, operation, now } = this;
    const asked = operation && operation.finishedAt !== null ? 0 : this.asked;
    return plan({
      app,
      ending,
      observe,
      names: [...this.entries.keys()],
      taken,
      asked,
      stopsOnFailure,
      agrees: () => this.agrees,
      newPassword: () => `password ${++this.passwords}`,
      now,
    });
  }

  /** Carries out what is planned, until nothing is. @returns what the app waits for */
  settle(): Message | null {
    for (let i = 0; i < 100; i++) {
      const step = this.next();
      if (this.operation) this.operation = followed(this.operation, this, step.waits);
      if (!this.carryOut(step)) return step.waits;
    }
    throw new Error('The plan never settles.');
  }

  private carryOut({ publish = {}, withdraw = [], change = {}, left, heals, ends }: Plan): boolean {
    if (ends) return false;
    if (!Object.keys(publish).length && !withdraw.length && !Object.keys(change).length && !left) return false;
    const published = { ...this.app.published, ...publish };
    for (const environment of withdraw) delete published[environment];
    for (const [environment, { desired, generation, data, uploads }] of Object.entries(publish))
      this.published.push(
        `${environment} ${uploads?.ahead && desired !== 'removed' ? 'copy' : data === 'keep' ? desired : data} ${generation}`,
      );
    const generations = Object.values(published).map((wish) => wish.generation);
    this.app = { ...this.app, ...change, published, generation: Math.max(this.app.generation, ...generations) };
    if (left && this.ending) this.ending = { ...this.ending, environments: left };
    if (heals) this.heals.push(heals);
    return true;
  }

  wish(environment: string): Published {
    return this.app.published[environment];
  }

  /** Its Worker has done what is published, or reports what is given. */
  report(environment: string, values: Partial<StatusEntry> = {}): void {
    const { generation, boot, desired, work } = this.wish(environment) ?? { generation: 0, boot: { generation: 0 } };
    const status = { running: 'running', onDemand: 'running', stopped: 'stopped', removed: 'not_found' } as const;
    this.entries.set(
      environment,
      entryOf({
        uid: this.app.uid,
        status: status[desired],
        generation,
        begun: generation,
        bootGeneration: boot.generation,
        ...(work ? { work: { generation: work.generation, error: null } } : {}),
        ...values,
      }),
    );
  }

  /** All Workers that are there do what they are asked for, one step after the other. */
  converge(...environments: string[]): Message | null {
    let waits = this.settle();
    for (let i = 0; i < 20; i++) {
      const before = this.published.length;
      const there = environments.length ? environments : Object.keys(this.app.published);
      for (const environment of there) if (this.app.published[environment]) this.report(environment);
      waits = this.settle();
      if (this.published.length === before) break;
    }
    return waits;
  }

  /** A request: the next generation. */
  ask(change: (app: AppDefinition, generation: number) => Partial<AppDefinition>): void {
    this.now += 1_000;
    const generation = Math.max(this.app.generation + 1, this.now);
    this.app = { ...this.app, ...change(this.app, generation), generation };
    this.asked = generation;
    this.published.length = 0;
  }

  /** What was published since the last request, in order, without generations. */
  get steps(): string[] {
    return this.published.map((line) => line.replace(/ \d+$/, ''));
  }
}
