import { isDeepStrictEqual } from 'node:util';
import type { Filter, Transaction } from '@nocobase/database';
import PQueue from 'p-queue';
import type { AppDefinition } from '../../../shared/app';
import { completeIn, fromTable, pickIn } from '../../../shared/fields';
import { type Message, verbatim } from '../../../shared/message';
import { message, problem } from '../../../shared/message-schema';
import { OPERATION, type Operation, type Progress } from '../../../shared/operation';
import { Feed } from '../../feed';
import type { WithDatabase } from '../../nocobase/main-database';
import type { Random } from '../../random';
import { storedMessage } from './stored-message';

/** Sorts by time, unique among Supervisors. */
export const newOperationId = (now: number, random: Random): string => `${now.toString(36)}${random.hex(4)}`;

/** How long finished operations are kept, in ms. */
export const KEEP_OPERATIONS = 30 * 24 * 3_600_000;

/** A new operation. */
export const newOperation = (
  { name, uid, generation }: Pick<AppDefinition, 'name' | 'uid' | 'generation'>,
  values: Pick<Operation, 'action' | 'progress' | 'createdById'> &
    Partial<Pick<Operation, 'batch' | 'cause' | 'data' | 'environments' | 'onFailure'>>,
  now: number,
  random: Random,
): Operation =>
  completeIn(OPERATION, 'table', {
    id: newOperationId(now, random),
    appName: name,
    appUid: uid,
    state: values.progress.length ? 'queued' : 'succeeded',
    generation,
    createdAt: now,
    finishedAt: values.progress.length ? null : now,
    ...values,
  });

/** What a batch has to know of its operations. */
export type BatchOperation = Pick<Operation, 'id' | 'appUid' | 'generation' | 'state' | 'batch' | 'progress'>;

/** The `appOperations` table. */
export class OperationStore {
  /** @param onEnd called for each operation that this process finishes */
  constructor(
    private readonly app: WithDatabase,
    private readonly onEnd: (operation: Operation) => void = () => undefined,
  ) {}

  /** Unfinished operations, in the order of their requests. @param filter those of one app, or of apps with these names; default: all */
  async active(filter: Filter = {}, transaction?: Transaction): Promise<Operation[]> {
    const rows = await this.repository.find({
      filter: { ...filter, state: { $in: ['queued', 'running'] } },
      sort: ['generation', 'id'],
      transaction,
    });
    return rows.map(toOperation);
  }

  /** The newest generation of these operations, finished or not; 0 if there is none. */
  async newestGeneration(filter: Filter, transaction?: Transaction): Promise<number> {
    const row = await this.repository.findOne({ filter, sort: ['-generation'], transaction });
    return row ? toOperation(row).generation : 0;
  }

  /** The operations of these batches, as plain rows: a page asks for thousands each few seconds. What has not failed has no `progress`. */
  async ofBatches(batches: readonly string[]): Promise<BatchOperation[]> {
    if (!batches.length) return [];
    const rows = (await this.app.db.getModel('appOperations').findAll({
      where: { batch: [...batches] },
      attributes: ['id', 'appUid', 'generation', 'state', 'batch'],
      raw: true,
    })) as unknown as BatchOperation[];
    const filter = { batch: { $in: batches }, state: 'failed' };
    const isFailed = rows.some(({ state }) => state === 'failed');
    const failed: Operation[] = isFailed ? (await this.repository.find({ filter })).map(toOperation) : [];
    const progress = new Map(failed.map((each) => [each.id, each.progress]));
    // PostgreSQL gives whole numbers of 64 bits as texts.
    return rows.map((row) => ({ ...row, generation: Number(row.generation), progress: progress.get(row.id) ?? [] }));
  }

  /** It is part of no batch any more: another one is in its place. */
  async leaveBatch(id: string, transaction: Transaction): Promise<void> {
    await this.app.db.getModel('appOperations').update({ batch: null }, { where: { id }, transaction });
  }

  async find(id: string): Promise<Operation | null> {
    const row = await this.repository.findOne({ filterByTk: id });
    return row ? toOperation(row) : null;
  }

  async page(filter: Filter, sort: string[], page: number, pageSize: number): Promise<[Operation[], number]> {
    const offset = (page - 1) * pageSize;
    const [rows, count] = await this.repository.findAndCount({ filter, sort, limit: pageSize, offset });
    return [rows.map(toOperation), count];
  }

  async create(operation: Operation, transaction?: Transaction): Promise<void> {
    const { createdAt: _, ...values } = pickIn(OPERATION, 'table', operation);
    await this.repository.create({ values: { ...values, waitingFor: toText(values.waitingFor) }, transaction });
  }

  /**
   * A finished operation does not change any more: a late write based on its earlier state is ignored.
   * @returns whether the operation was unfinished until now; otherwise nothing was written
   */
  async save(operation: Operation, transaction?: Transaction): Promise<boolean> {
    const values = pickIn(OPERATION, 'save', operation);
    const [changed] = await this.app.db
      .getModel('appOperations')
      .update(
        { ...values, waitingFor: toText(values.waitingFor) },
        { where: { id: operation.id, finishedAt: null }, transaction },
      );
    if (changed && operation.finishedAt !== null) this.onEnd(operation);
    return changed > 0;
  }

  async removeOlderThan(time: number, transaction?: Transaction): Promise<void> {
    const filter = { finishedAt: { $lt: time }, state: { $notIn: ['queued', 'running'] } };
    await this.repository.destroy({ filter, transaction });
  }

  private get repository() {
    return this.app.db.getRepository('appOperations');
  }
}

function toOperation(row: { toJSON(): object }): Operation {
  const stored = fromTable(OPERATION, row.toJSON());
  const waitingFor = stored.waitingFor as unknown as string | null;
  return {
    ...stored,
    waitingFor: waitingFor ? storedMessage(waitingFor) : null,
    progress: stored.progress.map(toProgress),
  };
}

/** The column is a text. */
const toText = (waitingFor: Message | null): string | null => waitingFor && JSON.stringify(waitingFor);
const readable = (schema: typeof message, value: unknown): Message =>
  schema.safeParse(value).data ?? verbatim(JSON.stringify(value));

const toProgress = (item: Progress): Progress => ({
  ...item,
  ...(item.message ? { message: readable(message, item.message) } : {}),
  ...(item.error ? { error: readable(problem, item.error) } : {}),
});

/**
 * Unfinished operations in memory, for the loop and the list of apps. It follows the table: those of changed apps immediately, all of them
 * every 30 s.
 */
export class OperationCache {
  /** Operations have changed, through any Supervisor. */
  readonly changes = new Feed<void>();
  private readonly byUid = new Map<string, Operation[]>();
  /** One after the other: one that began before a change must not end after the one made for that change. */
  private readonly reads = new PQueue({ concurrency: 1 });

  constructor(private readonly operations: OperationStore) {}

  /** In the order of their requests. */
  of(uid: string): readonly Operation[] {
    return this.byUid.get(uid) ?? [];
  }

  all(): Operation[] {
    return [...this.byUid.values()].flat();
  }

  /** Reads the operations of apps with these names, of all their incarnations. */
  refresh(names: readonly string[]): Promise<void> {
    return this.read({ appName: { $in: names } }, ({ appName }) => names.includes(appName));
  }

  /** Reads all. */
  load(): Promise<void> {
    return this.read({}, () => true);
  }

  /** @param isRead whether an operation that is known here would have been read if it were still unfinished */
  private read(filter: Filter, isRead: (known: Operation) => boolean): Promise<void> {
    return this.reads.add(async () => {
      const found = new Map<string, Operation[]>();
      for (const operation of await this.operations.active(filter))
        found.set(operation.appUid, [...(found.get(operation.appUid) ?? []), operation]);
      const known = [...this.byUid].filter(([, [first]]) => isRead(first)).map(([uid]) => uid);
      const changed = [...new Set([...found.keys(), ...known])].filter(
        (uid) => !isDeepStrictEqual(found.get(uid), this.byUid.get(uid)),
      );
      for (const uid of changed) {
        const operations = found.get(uid);
        if (operations) this.byUid.set(uid, operations);
        else this.byUid.delete(uid);
      }
      if (changed.length) this.changes.emit();
    });
  }
}
