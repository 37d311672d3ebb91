import type { Filter, Transaction } from '@nocobase/database';
import PQueue from 'p-queue';
import { BATCH, type Batch, type BatchRow } from '../../../shared/batch';
import { completeIn, fromTable, pickIn } from '../../../shared/fields';
import { type Message, say } from '../../../shared/message';
import type { Clock } from '../../clock';
import { AppSupervisorError } from '../../errors';
import type { WithDatabase } from '../../nocobase/main-database';
import type { Random } from '../../random';
import {
  type BatchOperation,
  KEEP_OPERATIONS,
  newOperationId,
  type OperationStore,
} from '../definitions/operation-store';
import { forEachApp, type Refused } from './bulk';

/** How long the process that asks for the apps may be silent before it is taken for ended, in ms. */
const SILENCE = 60_000;
/** How often the process that asks says that it goes on, in ms: one app, or the preview of a move, may take longer than `SILENCE`. */
const RENEW = 20_000;

/** Asks for one app of a batch. @returns what came of it, or why it was refused */
export type Ask<T = unknown> = (app: string) => Promise<T | Refused>;

/** What of a batch is to be asked for again. */
export interface Again {
  batch: Batch;
  apps: Batch['apps'];
  /** By uid of the app, the operation that has failed. */
  failed: ReadonlyMap<string, string>;
}

export interface BatchesOptions {
  app: WithDatabase;
  operations: OperationStore;
  clock: Clock;
  random: Random;
}

/** Requests about several apps: the `appBatches` table, and what has become of each. */
export class Batches {
  constructor(private readonly options: BatchesOptions) {}

  /** Asks for the same of several apps, one after the other. One that is refused does not keep the others from it. */
  async begin<T>(
    asked: Pick<Batch, 'action' | 'environment' | 'input' | 'apps' | 'createdById'>,
    prepare: (id: string) => Promise<Ask<T>>,
  ): Promise<{ batch: string; done: T[]; refused: Refused[] }> {
    const { clock, random } = this.options;
    const now = clock.now().wall;
    const batch: Batch = completeIn(BATCH, 'table', {
      id: newOperationId(now, random),
      createdAt: now,
      askedAt: now,
      ...asked,
    });
    await this.model.create({ ...batch });
    return { batch: batch.id, ...(await this.ask(batch, this.turn(batch), () => prepare(batch.id))) };
  }

  /**
   * Asks again for what was refused, has failed, or was never asked for. What a newer request was made for since is over.
   * @throws AppSupervisorError UNKNOWN_BATCH, BATCH_UNDER_WAY
   */
  async retry(id: string, prepare: (again: Again) => Promise<Ask>): Promise<void> {
    const { operations, clock } = this.options;
    const batch = await this.find(id);
    const now = clock.now().wall;
    if (isAsking(batch, now)) throw new AppSupervisorError('BATCH_UNDER_WAY');
    const all = await operations.ofBatches([id]);
    const failed = new Map(all.flatMap((each) => (each.state === 'failed' ? [[each.appUid, each.id] as const] : [])));
    const outcomes = outcomesOf(batch, all, now);
    const left = batch.apps.filter((_, index) => outcomes[index][0] === 'failed');
    if (!left.length) return;
    const apps = [...batch.apps.filter((app) => !left.includes(app)), ...left];
    const over = Object.entries(batch.refused).filter(([name]) => !left.some((app) => app.name === name));
    const again = { apps, asked: apps.length - left.length, refused: Object.fromEntries(over) };
    const turn = this.turn(batch);
    // Of two who ask again at once, one does.
    if (!(await turn.write(again))) throw new AppSupervisorError('BATCH_UNDER_WAY');
    await this.ask({ ...batch, ...again }, turn, () => prepare({ batch, apps: left, failed }));
  }

  async removeOlderThan(time: number, transaction?: Transaction): Promise<void> {
    await this.repository.destroy({ filter: { createdAt: { $lt: time } }, transaction });
  }

  /** Newest first. */
  async page(filter: Filter, page: number, pageSize: number): Promise<[BatchRow[], number]> {
    const [rows, count] = await this.repository.findAndCount({
      filter: { ...filter, ...this.kept() },
      sort: ['-createdAt'],
      limit: pageSize,
      offset: (page - 1) * pageSize,
    });
    return [await this.rowsOf(rows.map(toBatch)), count];
  }

  /** @throws AppSupervisorError UNKNOWN_BATCH */
  async row(id: string): Promise<BatchRow> {
    return (await this.rowsOf([await this.find(id)]))[0];
  }

  /** @throws AppSupervisorError UNKNOWN_BATCH */
  async find(id: string): Promise<Batch> {
    const row = await this.repository.findOne({ filter: { id, ...this.kept() } });
    if (!row) throw new AppSupervisorError('UNKNOWN_BATCH', { batch: id });
    return toBatch(row);
  }

  private async rowsOf(batches: Batch[]): Promise<BatchRow[]> {
    const operations = await this.options.operations.ofBatches(batches.map(({ id }) => id));
    const now = this.options.clock.now().wall;
    return batches.map((batch) =>
      batchRow(
        batch,
        operations.filter((operation) => operation.batch === batch.id),
        now,
      ),
    );
  }

  /** Ends early where the turn is lost: whoever has it asks for the others. */
  private async ask<T>(
    { apps, asked, refused }: Batch,
    turn: Turn,
    prepare: () => Promise<Ask<T>>,
  ): Promise<{ done: T[]; refused: Refused[] }> {
    const results: T[] = [];
    const reasons: Refused[] = [];
    // A write that fails is made up for by the next one.
    const renewal = this.options.clock.interval(RENEW, () => void turn.write().catch(() => undefined));
    try {
      const ask = await prepare();
      let isOwn = await turn.write();
      for (const [index, app] of [...apps.entries()].slice(asked)) {
        if (!isOwn) break;
        const { done, refused: thrown } = await forEachApp([app], ({ name }) => ask(name));
        for (const one of [...done, ...thrown])
          if (isRefused(one)) reasons.push(one);
          else results.push(one);
        const why = Object.fromEntries(reasons.map(({ app: name, ...message }) => [name, message]));
        isOwn = await turn.write({ asked: index + 1, refused: { ...refused, ...why } });
      }
    } finally {
      renewal.cancel();
    }
    return { done: results, refused: reasons };
  }

  private turn({ id, askedAt }: Batch): Turn {
    return new Turn(id, askedAt, this.model, this.options.clock);
  }

  /** Their operations are removed when they are older. */
  private kept() {
    return { createdAt: { $gte: this.options.clock.now().wall - KEEP_OPERATIONS } };
  }

  private get model() {
    return this.options.app.db.getModel('appBatches');
  }

  private get repository() {
    return this.options.app.db.getRepository('appBatches');
  }
}

/** The right to ask for the apps of a batch: whoever knows the `askedAt` of its row has it, and each write changes that. */
class Turn {
  private readonly writes = new PQueue({ concurrency: 1 });

  constructor(
    private readonly id: string,
    private askedAt: number,
    private readonly model: { update(values: object, options: { where: object }): Promise<[number, ...unknown[]]> },
    private readonly clock: Clock,
  ) {}

  /** @returns false if another process has it by now; then nothing was written */
  write(values: Partial<Batch> = {}): Promise<boolean> {
    return this.writes.add(async () => {
      // Always another one: MySQL counts only the rows that a statement changes.
      const askedAt = Math.max(this.clock.now().wall, this.askedAt + 1);
      const where = { id: this.id, askedAt: this.askedAt };
      const [taken] = await this.model.update({ ...values, askedAt }, { where });
      if (taken) this.askedAt = askedAt;
      return taken > 0;
    });
  }
}

const toBatch = (row: { toJSON(): object }): Batch => fromTable(BATCH, row.toJSON());

const isRefused = (result: unknown): result is Refused =>
  typeof result === 'object' && result !== null && 'code' in result && 'app' in result;

/** Whether apps are still being asked for. */
const isAsking = ({ asked, apps, askedAt }: Batch, now: number): boolean =>
  asked < apps.length && now - askedAt < SILENCE;

/** A batch as it is shown. @param operations its own */
export function batchRow(batch: Batch, operations: readonly BatchOperation[], now: number): BatchRow {
  const outcomes = outcomesOf(batch, operations, now);
  const count = (of: Outcome) => outcomes.filter(([outcome]) => outcome === of).length;
  const groups = new Map<string, BatchRow['failures'][number]>();
  for (const [index, [, why]] of outcomes.entries()) {
    if (!why) continue;
    const cause = innermost(why);
    const { app: _, ...params } = cause.params ?? {};
    const key = JSON.stringify([cause.code, params]);
    const group = groups.get(key) ?? { cause, apps: [] };
    const { name, title } = batch.apps[index];
    group.apps.push({ name, title });
    groups.set(key, group);
  }
  return pickIn(BATCH, 'row', {
    ...batch,
    createdBy: batch.createdById,
    total: outcomes.length,
    done: count('done'),
    underWay: count('underWay'),
    failed: count('failed'),
    cancelled: count('cancelled'),
    failures: [...groups.values()].sort((one, other) => other.apps.length - one.apps.length),
    isOver: count('underWay') === 0,
  }) as BatchRow;
}

type Outcome = 'done' | 'underWay' | 'failed' | 'cancelled';

/** What has become of each app of a batch, with the cause of what has failed. */
function outcomesOf(batch: Batch, operations: readonly BatchOperation[], now: number): Array<[Outcome, Message?]> {
  const inOrder = [...operations].sort((one, other) => one.generation - other.generation);
  const newest = new Map(inOrder.map((operation) => [operation.appUid, operation]));
  return batch.apps.map(({ uid, name }, index) => {
    const operation = newest.get(uid);
    const why = batch.refused[name];
    const isAsked = index < batch.asked;
    if (operation && operation.state !== 'failed') return [OUTCOMES[operation.state]];
    // A newer request was made for the app since: this one is over, and is not asked for again.
    if (why?.code === 'OPERATION_SUPERSEDED') return ['cancelled'];
    if (!isAsked && isAsking(batch, now)) return ['underWay'];
    if (why) return ['failed', why];
    if (operation) return ['failed', operation.progress.find(({ error }) => error)?.error ?? say('NO_CAUSE')];
    return isAsked ? ['done'] : ['failed', say('BATCH_INTERRUPTED')];
  });
}

const OUTCOMES = { queued: 'underWay', running: 'underWay', succeeded: 'done', cancelled: 'cancelled' } as const;

/** What a message names as its cause, and that as its own: what several apps have failed for. */
function innermost(message: Message): Message {
  const cause = message.params?.cause;
  return typeof cause === 'object' ? innermost(cause) : message;
}
