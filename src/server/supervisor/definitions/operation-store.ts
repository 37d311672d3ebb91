import { isDeepStrictEqual } from 'node:util';
import type { Filter, Transaction } from '@nocobase/database';
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
    Partial<Pick<Operation, 'batch' | 'cause' | 'data' | 'onFailure'>>,
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

  /** Whether a later operation of the same app exists, finished or not. */
  async isSuperseded({ appUid, generation }: Operation, transaction?: Transaction): Promise<boolean> {
    const row = await this.repository.findOne({ filter: { appUid }, sort: ['-generation'], transaction });
    return row !== null && toOperation(row).generation > generation;
  }

  /** The newest generation that an app of this name was given, alive or deleted; 0 if there was none. */
  async newestGeneration(appName: string, transaction?: Transaction): Promise<number> {
    const row = await this.repository.findOne({ filter: { appName }, sort: ['-generation'], transaction });
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
    const [rows, count] = await this.repository.findAndCount({
      filter,
      sort,
      limit: pageSize,
      offset: (page - 1) * pageSize,
    });
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

/** The table has no fields that are undefined. */
const asStored = (operation: Operation): Operation => JSON.parse(JSON.stringify(operation));

/** As the table is sorted. */
const byRequest = (a: Operation, b: Operation): number => a.generation - b.generation || (a.id < b.id ? -1 : 1);

/**
 * Unfinished operations in memory, for the loop and the list of apps. It follows the table: one app's immediately when
 * a message names it, all of them every 30 s.
 */
export class OperationCache {
  /** Operations have changed, through this process, a message or a read. */
  readonly changes = new Feed<void>();
  private byUid = new Map<string, Operation[]>();
  /** For each read in progress, the apps whose operations have changed here since it began: what it reads may be older. */
  private readonly reads = new Set<Set<string>>();

  constructor(private readonly operations: OperationStore) {}

  /** In the order of their requests. */
  of(uid: string): readonly Operation[] {
    return this.byUid.get(uid) ?? [];
  }

  all(): Operation[] {
    return [...this.byUid.values()].flat();
  }

  /** Takes an operation as it was just written; removes a finished one. */
  put(operation: Operation): void {
    const left = this.of(operation.appUid).filter(({ id }) => id !== operation.id);
    if (operation.finishedAt === null) left.push(asStored(operation));
    this.replace(operation.appUid, left.sort(byRequest));
  }

  /** Reads the operations of one app. */
  async refresh(uid: string): Promise<void> {
    const { operations, outdated } = await this.read(() => this.operations.active({ appUid: uid }));
    if (outdated.has(uid)) return this.refresh(uid);
    this.replace(uid, operations);
  }

  /** Reads the operations of apps with these names, of all their incarnations. */
  async refreshNamed(names: string[]): Promise<void> {
    const { operations, outdated } = await this.read(() => this.operations.active({ appName: { $in: names } }));
    this.take(operations, outdated, (operation) => names.includes(operation.appName));
  }

  /** Reads all. @returns uids of the apps whose operations have changed */
  async load(): Promise<Set<string>> {
    const { operations, outdated } = await this.read(() => this.operations.active());
    return this.take(operations, outdated, () => true);
  }

  private async read(work: () => Promise<Operation[]>): Promise<{ operations: Operation[]; outdated: Set<string> }> {
    const outdated = new Set<string>();
    this.reads.add(outdated);
    try {
      return { operations: await work(), outdated };
    } finally {
      this.reads.delete(outdated);
    }
  }

  /** @param isRead whether an operation that is known here would have been read if it were still unfinished */
  private take(read: Operation[], outdated: Set<string>, isRead: (known: Operation) => boolean): Set<string> {
    const found = new Map<string, Operation[]>();
    for (const operation of read) found.set(operation.appUid, [...(found.get(operation.appUid) ?? []), operation]);
    const known = [...this.byUid].filter(([, [first]]) => isRead(first)).map(([uid]) => uid);
    const changed = new Set<string>();
    for (const uid of new Set([...found.keys(), ...known])) {
      if (outdated.has(uid) || isDeepStrictEqual(found.get(uid), this.byUid.get(uid))) continue;
      changed.add(uid);
      this.replace(uid, found.get(uid) ?? []);
    }
    return changed;
  }

  private replace(uid: string, operations: Operation[]): void {
    // Also what is written as it is known here: a read may have found what was there in between.
    for (const outdated of this.reads) outdated.add(uid);
    if (isDeepStrictEqual(operations, this.of(uid))) return;
    if (operations.length) this.byUid.set(uid, operations);
    else this.byUid.delete(uid);
    this.changes.emit();
  }
}
