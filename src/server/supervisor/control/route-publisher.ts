import type { RouteSettings } from '../../../shared/routes';
import type { Clock } from '../../clock';
import { type RouteSource, RoutesWriter } from '../../protocol/published-routes';
import type { PublishedStore } from '../../protocol/stores/published';
import type { FleetObserver } from '../fleet/observer';
import type { Leadership } from './leader';
import { ROUTES } from './queue-keys';
import type { WorkQueue } from './work-queue';

/** How long changes are collected before the routes are written, in ms: a door has what has started or ended within half a second. */
const SPACING = 50;

/** Where this process would send visits: its own routing table, as doors are told of it. */
export interface RouteTable {
  settings: RouteSettings;
  /**
   * Takes changed definitions over.
   * @returns the names of all apps that may be reached otherwise by that
   */
  update(names: Iterable<string>): Iterable<string>;
  /** As of now. */
  source(): RouteSource;
}

export interface RoutePublisherOptions {
  store: PublishedStore;
  table: RouteTable;
  queue: WorkQueue;
  observer: Pick<FleetObserver, 'foreign'>;
  leadership: Pick<Leadership, 'term'>;
  clock: Clock;
}

/** Publishes where visits go, for doors, when it changes. */
export class RoutePublisher {
  private readonly writer: RoutesWriter;

  constructor(private readonly options: RoutePublisherOptions) {
    this.writer = new RoutesWriter(options.store, options.table.settings, options.clock);
  }

  /** Definitions have changed. */
  noteApps(names: Iterable<string>): void {
    this.noteObserved(this.options.table.update(names));
  }

  /** What is observed of these apps has changed, or of environments alone. */
  noteObserved(names: Iterable<string>): void {
    this.writer.note(names);
    this.options.queue.add(ROUTES, SPACING);
  }

  /** As those of `PublishedWriter`. */
  doubt(): void {
    this.writer.doubt();
  }
  invalidate(): void {
    this.writer.invalidate();
  }

  /** @throws as `PublishedWriter.write` */
  async publish(): Promise<null> {
    const { table, observer, leadership } = this.options;
    if (!observer.foreign) await this.writer.publish(table.source(), leadership.term);
    return null;
  }
}
