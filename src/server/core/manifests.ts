import { createHash } from 'node:crypto';
import type { Model } from '@nocobase/database';
import { type ManifestItem, manifestItem } from '../../shared/messages';
import { type Clock, type Timer, within } from '../clock';
import { messageOf } from '../errors';
import type { Log } from '../log';
import type { WithDatabase } from '../nocobase/main-database';
import { isNewer, type ManifestStore, type ManifestsRead, manifestField } from '../protocol/stores/manifests';

/** Interval at which manifest items that the store has lost are written again, in ms. */
const ROUND = 10_000;
/** How long a change waits until it is in the database, in ms. */
export const SAVED_WITHIN = 200;

export interface ManifestsOptions {
  store: ManifestStore;
  /** The process's own main app; null if nothing may be written: command-line runs, worker threads. */
  main(): WithDatabase | null;
  /** The uid of the current app; null if no app has that name any more, undefined if unknown. */
  uidOf(app: string): string | null | undefined;
  /** Whether its main app is the one that the fleet calls `main`; a worker's main app is private. */
  hasMain: boolean;
  /**
   * Whether what the Worker of an environment has set on an app counts, although it has no key but that of its environment; absent in
   * a process that cannot decide it.
   */
  accepts?(environment: string, app: string): boolean;
  clock: Clock;
  log: Log;
}

/**
 * Data that other plugins set on apps: items of manifests, and with them manual assignments of apps to conditions.
 *
 * Items that were set through this process are stored in its own main database, and the store distributes them to all
 * others: items lost there are written again. The last write of an item wins, from whichever process. Items of a
 * deleted app are ignored.
 */
export class Manifests {
  /** As last read from the database, with what is still to be written there. */
  private own = new Map<string, ManifestItem>();
  /** Still to be written to the database. */
  private unsaved = new Map<string, ManifestItem>();
  private saving: Promise<void> | null = null;
  /** As last read from the store; kept while the store is down. */
  private remote = new Map<string, ManifestItem>();
  /** What such Workers have set. */
  private offered: NonNullable<ManifestsRead['offered']> = [];
  private version = '';
  private timer: Timer | null = null;

  constructor(private readonly options: ManifestsOptions) {}

  /** Starts the periodic check; after a restart of the main app it checks immediately. */
  start(): void {
    void this.round();
    this.timer ??= this.options.clock.interval(ROUND, () => void this.round());
  }

  stop(): void {
    this.timer?.cancel();
  }

  /** @param value absent: the item is removed */
  async change(app: string, namespace: string, key: string, value?: unknown): Promise<void> {
    const { uidOf, hasMain, clock, log } = this.options;
    const uid = uidOf(app);
    if (!this.rows) return;
    if (!uid || (app === 'main' && !hasMain)) {
      log.warn(`"${namespace}" of app ${app} was not kept: there is no such app here.`, { app });
      return;
    }
    await this.poll();
    const before = this.newest(manifestField({ app, namespace, key }));
    const at = Math.max(clock.now().wall, (before?.at ?? 0) + 1);
    await this.keep({ app, uid, namespace, key, at, ...(value === undefined ? {} : { value }) });
  }

  /** Removes a whole namespace of an app. */
  async clear(app: string, namespace: string): Promise<void> {
    await this.poll();
    const items = this.items().filter((item) => item.app === app && item.namespace === namespace);
    for (const { key } of items) await this.change(app, namespace, key);
  }

  /** The values for these apps, as far as any were set. */
  async values(namespace: string, apps: string[]): Promise<Map<string, unknown[]>> {
    await this.poll();
    const requested = new Set(apps);
    const found = new Map<string, unknown[]>();
    for (const item of this.items()) {
      if (item.namespace !== namespace || !requested.has(item.app)) continue;
      found.set(item.app, [...(found.get(item.app) ?? []), item.value]);
    }
    return found;
  }

  /** Writes again what the store has lost, and drops items of deleted apps. Never rejects. */
  async round(): Promise<void> {
    try {
      await this.save();
      await this.read();
      await this.adopt();
      if (!this.own.size) return;
      const isOver = ({ app, uid }: ManifestItem) => {
        const current = this.options.uidOf(app);
        return current !== undefined && current !== uid;
      };
      const ended = [...this.own.values()].filter(isOver).map(({ uid }) => uid);
      if (ended.length) await this.drop([...new Set(ended)]);
      await this.poll();
      const lost = [...this.own].filter(
        ([field, item]) => isNewer(item, this.remote.get(field)) && this.isCurrent(item),
      );
      if (lost.length) await this.options.store.write(lost.map(([, item]) => item));
    } catch (error) {
      this.options.log.debug(`Manifests could not be told again, it is tried later: ${messageOf(error)}`);
    }
  }

  /** An app was deleted everywhere. Never rejects. */
  async forget(uid: string): Promise<void> {
    await this.drop([uid]).catch((error) => {
      this.options.log.debug(`What was said of an app that has ended could not be removed: ${messageOf(error)}`);
    });
  }

  /**
   * Known to this process at once, and to all others as soon as the store has it; what the store does not accept now, the
   * next round writes. The database is waited for only a moment, because the caller may hold it: in a transaction of the
   * main database, which SQLite lets nobody write beside, and which may have the pool's last connection.
   */
  private async keep(item: ManifestItem): Promise<void> {
    const field = manifestField(item);
    this.own.set(field, item);
    this.unsaved.set(field, item);
    await this.options.store.write([item]).catch(() => undefined);
    await within(this.options.clock, SAVED_WITHIN, this.save(), undefined);
  }

  /** Writes to the database what is not there yet; what fails is tried again in the next round. Never rejects. */
  private save(): Promise<void> {
    this.saving ??= this.saveAll()
      .catch((error) => this.options.log.debug(`Manifests could not be saved, it is tried later: ${messageOf(error)}`))
      .finally(() => {
        this.saving = null;
      });
    return this.saving;
  }

  private async saveAll(): Promise<void> {
    for (let next = first(this.unsaved); next && this.rows; next = first(this.unsaved)) {
      const [field, item] = next;
      await this.rows.updateOrCreate({ filterKeys: ['id'], values: { id: idOf(field), item } });
      if (this.unsaved.get(field) === item) this.unsaved.delete(field);
    }
  }

  private async drop(uids: string[]): Promise<void> {
    await this.read();
    const gone = [...this.own].filter(([, item]) => uids.includes(item.uid)).map(([field]) => field);
    if (gone.length) await this.rows?.destroy({ filter: { id: { $in: gone.map(idOf) } } });
    for (const field of gone) this.own.delete(field);
    for (const [field, { uid }] of this.unsaved) if (uids.includes(uid)) this.unsaved.delete(field);
    await this.options.store.forget(uids);
  }

  /** Another process of this environment, or another Supervisor, may share the table. */
  private async read(): Promise<void> {
    const rows = (await this.rows?.find()) ?? [];
    const items = rows.flatMap((row: Model) => manifestItem.safeParse(row.get('item')).data ?? []);
    this.own = new Map(items.map((item: ManifestItem) => [manifestField(item), item]));
    for (const [field, item] of this.unsaved) this.own.set(field, item);
  }

  /** Has what Workers have set on apps that they host count for all. */
  private async adopt(): Promise<void> {
    const { accepts, store } = this.options;
    if (!accepts) return;
    await this.poll();
    const isNew = ({ environment, item }: (typeof this.offered)[number]) =>
      accepts(environment, item.app) && this.isCurrent(item) && isNewer(item, this.newest(manifestField(item)));
    const items = this.offered.filter(isNew).map(({ item }) => ({ ...item, at: item.at + 1 }));
    if (items.length) await store.write(items);
  }

  private async poll(): Promise<void> {
    const found = await this.options.store.read(this.version).catch(() => null);
    if (!found) return;
    this.version = found.version;
    this.remote = new Map(found.items.map((item) => [manifestField(item), item]));
    this.offered = found.offered ?? [];
  }

  private newest(field: string): ManifestItem | undefined {
    const [own, remote] = [this.own.get(field), this.remote.get(field)];
    return own && isNewer(own, remote) ? own : remote;
  }

  /** All items of current apps. */
  private items(): ManifestItem[] {
    return [...new Set([...this.remote.keys(), ...this.own.keys()])]
      .flatMap((field) => this.newest(field) ?? [])
      .filter((item) => item.value !== undefined && this.isCurrent(item));
  }

  private isCurrent({ app, uid }: ManifestItem): boolean {
    return this.options.uidOf(app) === uid;
  }

  private get rows() {
    return this.options.main()?.db.getRepository('appManifests');
  }
}

const first = <T>(map: Map<string, T>): [string, T] | undefined => map.entries().next().value;

/** A field may be longer than the key of a table. */
const idOf = (field: string): string => createHash('sha256').update(field).digest('hex');
