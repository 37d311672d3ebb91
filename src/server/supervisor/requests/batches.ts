import { BATCH, type Batch, type BatchRow } from '../../../shared/batch';
import { completeIn, fromTable, pickIn } from '../../../shared/fields';
import { type Message, say } from '../../../shared/message';
import type { Operation } from '../../../shared/operation';
import type { Clock } from '../../clock';
import { AppSupervisorError } from '../../errors';
import type { WithDatabase } from '../../nocobase/main-database';
import type { Random } from '../../random';
import { KEEP_OPERATIONS, newOperationId, type OperationStore } from '../definitions/operation-store';
import { forEachApp, type Refused } from './bulk';

/** How long after the last app was asked for the process that does it is taken for ended, in ms. */
const SILENCE = 60_000;

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
    asked: Pick<Batch, 'action' | 'input' | 'apps' | 'createdById'>,
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
    await this.repository.destroy({ filter: { createdAt: { $lt: now - KEEP_OPERATIONS } } });
    await this.model.create({ ...batch });
    return { batch: batch.id, ...(await this.ask(batch, await prepare(batch.id))) };
  }

  /**
   * Asks again for what was refused, has failed, or was never asked for.
   * @throws AppSupervisorError UNKNOWN_BATCH, BATCH_UNDER_WAY
   */
  async retry(id: string, prepare: (again: Again) => Promise<Ask>): Promise<void> {
    const { operations, clock } = this.options;
    const batch = await this.find(id);
    const now = clock.now().wall;
    if (isAsking(batch, now)) throw new AppSupervisorError('BATCH_UNDER_WAY');
    const all = await operations.ofBatches([id]);
    const failed = new Map(all.flatMap((each) => (each.state === 'failed' ? [[each.appUid, each.id] as const] : [])));
    const isLeft = (app: Batch['apps'][number], index: number) =>
      failed.has(app.uid) ||
      batch.refused[app.name] !== undefined ||
      (index >= batch.asked && !all.some(({ appUid }) => appUid === app.uid));
    const left = batch.apps.filter(isLeft);
    if (!left.length) return;
    const apps = [...batch.apps.filter((app) => !left.includes(app)), ...left];
    const again = { ...batch, apps, asked: apps.length - left.length, refused: {}, askedAt: now };
    // Of two who ask again at once, one does.
    const where = { id, askedAt: batch.askedAt };
    const [taken] = await this.model.update(pickIn(BATCH, 'table', again), { where });
    if (!taken) throw new AppSupervisorError('BATCH_UNDER_WAY');
    await operations.leaveBatch([...failed.values()]);
    await this.ask(again, await prepare({ batch, apps: left, failed }));
  }

  /** Newest first. */
  async page(page: number, pageSize: number): Promise<[BatchRow[], number]> {
    const options = { sort: ['-createdAt'], limit: pageSize, offset: (page - 1) * pageSize };
    const [rows, count] = await this.repository.findAndCount(options);
    return [await this.rowsOf(rows.map(toBatch)), count];
  }

  /** @throws AppSupervisorError UNKNOWN_BATCH */
  async row(id: string): Promise<BatchRow> {
    return (await this.rowsOf([await this.find(id)]))[0];
  }

  /** @throws AppSupervisorError UNKNOWN_BATCH */
  async find(id: string): Promise<Batch> {
    const row = await this.repository.findOne({ filterByTk: id });
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

  private async ask<T>({ id, apps, asked, refused }: Batch, ask: Ask<T>): Promise<{ done: T[]; refused: Refused[] }> {
    const results: T[] = [];
    const reasons: Refused[] = [];
    for (const [index, app] of [...apps.entries()].slice(asked)) {
      const { done, refused: thrown } = await forEachApp([app], ({ name }) => ask(name));
      for (const one of [...done, ...thrown])
        if (isRefused(one)) reasons.push(one);
        else results.push(one);
      const why = Object.fromEntries(reasons.map(({ app: name, ...message }) => [name, message]));
      const values = { asked: index + 1, refused: { ...refused, ...why }, askedAt: this.options.clock.now().wall };
      await this.model.update(values, { where: { id } });
    }
    return { done: results, refused: reasons };
  }

  private get model() {
    return this.options.app.db.getModel('appBatches');
  }

  private get repository() {
    return this.options.app.db.getRepository('appBatches');
  }
}

const toBatch = (row: { toJSON(): object }): Batch => fromTable(BATCH, row.toJSON());

const isRefused = (result: unknown): result is Refused =>
  typeof result === 'object' && result !== null && 'code' in result && 'app' in result;

/** Whether apps are still being asked for. */
const isAsking = ({ asked, apps, askedAt }: Batch, now: number): boolean =>
  asked < apps.length && now - askedAt < SILENCE;

/** A batch as it is shown. @param operations its own, at most one for each app */
export function batchRow(batch: Batch, operations: readonly Operation[], now: number): BatchRow {
  const byUid = new Map(operations.map((operation) => [operation.appUid, operation]));
  const outcomes = batch.apps.map((app, index): [Outcome, Message?] => {
    const operation = byUid.get(app.uid);
    if (operation) return outcomeOf(operation);
    const why = batch.refused[app.name];
    if (why) return ['failed', why];
    if (index < batch.asked) return ['done'];
    return isAsking(batch, now) ? ['underWay'] : ['failed', say('BATCH_INTERRUPTED')];
  });
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

function outcomeOf({ state, progress }: Operation): [Outcome, Message?] {
  if (state === 'succeeded') return ['done'];
  if (state === 'cancelled') return ['cancelled'];
  if (state !== 'failed') return ['underWay'];
  return ['failed', progress.find(({ error }) => error)?.error ?? say('NO_CAUSE')];
}

/** What a message names as its cause, and that as its own: what several apps have failed for. */
function innermost(message: Message): Message {
  const cause = message.params?.cause;
  return typeof cause === 'object' ? innermost(cause) : message;
}
