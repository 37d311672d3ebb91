import type { AppDefinition, Placement, Published } from '../../../shared/app';
import type { Message } from '../../../shared/message';
import { byName } from '../../../shared/pick';
import { newestOf, nextGeneration } from '../definitions/repository';
import { hostsOf, withHosts } from './hosts';
import { confirms, hasFailed, isDone, isReported, isUp, type Observe } from './observed';
import type { Ending } from './progress';
import type { SpecChange } from './spec';
import { isAhead } from './uploads';

/** What `plan` decides by. */
export interface Planned {
  app: AppDefinition;
  /** Of a deleted app; null for one that lives. */
  ending: Ending;
  observe: Observe;
  /** Environments of which anything is known. */
  names: readonly string[];
  /** Environments in which a newer app of the name is published: their Workers answer for that one alone. */
  taken: readonly string[];
  /** The generation of its open request; 0 if there is none. What has failed before is asked for again by it. */
  asked: number;
  /** Whether a boot that fails keeps the app from booting in the next environment. */
  stopsOnFailure: boolean;
  /** Whether all its environments can start it after each other. */
  agrees(): boolean;
  /** Another password of its database role, as it is stored. */
  newPassword(): string;
  /** ms since 1970 */
  now: number;
}

export interface Plan {
  /** By environment: what is to be published now, each with a generation of its own. */
  publish?: Record<string, Published>;
  /** Environments for which nothing is published any more. */
  withdraw?: string[];
  /** Of the spec. */
  change?: SpecChange & Partial<Pick<AppDefinition, 'provision' | 'initialAdmin'>>;
  /** Of a deleted app: the environments that have not confirmed. */
  left?: string[];
  /** Nothing is left of a deleted app anywhere. */
  ends?: true;
  /** What nobody has asked for, and is to be said. */
  heals?: { action: 'move' | 'restart'; environments: string[] };
  /** Without anything to do: what the app waits for; null: nothing. */
  waits: Message | null;
}
export type Step = Omit<Plan, 'waits'>;

/** What a rule sees of an environment. */
type Seen = ReturnType<Sight['look']>;

/** What a rule sees. */
export class Sight {
  readonly uid: string;
  private readonly last: { generation: number };
  private readonly seen = new Map<string, Seen>();

  constructor(
    readonly planned: Planned,
    readonly app = planned.app,
  ) {
    this.uid = app.uid;
    this.last = { generation: newestOf(app) };
  }

  /** The generation of the next publication. @param above of what a Worker reports */
  next(above = 0): number {
    this.last.generation = nextGeneration(Math.max(this.last.generation, above), this.planned.now);
    return this.last.generation;
  }

  /** Where the app is placed and wanted, in its order. */
  get places(): string[] {
    return this.app.environments.filter((name) => this.app.placements[name]);
  }

  /** All rules decide on one observation of each environment. */
  readonly see = (environment: string): Seen => {
    const seen = this.seen.get(environment) ?? this.look(environment);
    this.seen.set(environment, seen);
    return seen;
  };

  private look(environment: string) {
    const wish: Published | undefined = this.app.published[environment];
    const seen = this.planned.observe(environment);
    const { entry } = seen;
    const isMine = entry?.uid === this.uid;
    return {
      ...seen,
      wish,
      place: this.app.placements[environment] as Placement | undefined,
      isMine,
      isReported: wish !== undefined && isReported(this.uid, wish, entry),
      isDone: wish !== undefined && isDone(this.uid, wish, entry),
      isUp: wish !== undefined && isUp(this.uid, wish, entry),
      hasFailed: wish !== undefined && hasFailed(this.uid, wish, entry),
      isGone: wish !== undefined && confirms(this.uid, wish, entry),
    };
  }

  /** What is published there from now on, with the hosts of now. */
  publishing(wishes: Record<string, Published>, change: SpecChange = {}): Record<string, Published> {
    const published = { ...this.app.published, ...wishes };
    const hosts = hostsOf({ ...this.app, ...change }, published, this.see);
    return byName(Object.keys(wishes), (name) => withHosts(wishes[name], hosts));
  }

  /** An end of the app there. Where nothing was published, only the Worker has reported the app. */
  removal(environment: string, above = 0): Published {
    const wish: Published | undefined = this.app.published[environment];
    const generation = this.next(above);
    const boot = wish?.boot ?? { generation: 0, how: 'start' as const };
    const isStray = wish === undefined || wish.stray;
    return {
      generation,
      boot,
      desired: 'removed',
      provision: 'none',
      data: 'keep',
      ...(isStray ? { stray: true } : {}),
      ...(isAhead(wish) ? { uploads: wish.uploads } : {}),
    };
  }

  removals(environments: readonly string[]): Record<string, Published> {
    return byName(environments, (environment) => this.removal(environment));
  }

  again(environments: readonly string[], change: Partial<Published> = {}): Record<string, Published> {
    return byName(environments, (name) => ({ ...this.app.published[name], ...change, generation: this.next() }));
  }
}

export type Rule = (sight: Sight) => Step | null;
export const steps = (publish: Record<string, Published>): Step | null =>
  Object.keys(publish).length ? { publish } : null;
