import {
  type AppRoute,
  appRoute,
  type EnvironmentRoute,
  environmentRoute,
  type RouteSettings,
  type Routes,
  routeSettings,
} from '../../shared/routes';
import type { Clock } from '../clock';
import { type PublishedApps, PublishedWriter } from './published';
import { type Count, isAfter } from './stores/counts';
import { ParsedValues, type PublishedStore, type PublishedValue } from './stores/published';

/** The fields of what is no app's. */
const SETTINGS = ':settings';
const ENVIRONMENT = ':environment:';

/** Where visits go now. */
export interface RouteSource extends PublishedApps<AppRoute> {
  environments(): EnvironmentRoute[];
}

/** Writes the routes for doors. */
export class RoutesWriter extends PublishedWriter<AppRoute> {
  /** By name, as they were last published. */
  private environments = new Map<string, EnvironmentRoute>();

  constructor(store: PublishedStore, settings: RouteSettings, clock: Pick<Clock, 'now'>) {
    super(store, appRoute, clock);
    this.stage(SETTINGS, settings);
  }

  /**
   * @returns as `write`
   * @throws as `write`
   */
  publish(source: RouteSource, term: number): Promise<boolean> {
    const now = new Map(source.environments().map((environment) => [environment.name, environment]));
    for (const name of new Set([...this.environments.keys(), ...now.keys()])) {
      this.stage(ENVIRONMENT + name, now.get(name) ?? null);
      // Any app may be there.
      if (this.environments.has(name) !== now.has(name)) this.note(null);
    }
    this.environments = now;
    return this.write(source, term);
  }
}

/** What a door has kept of a table, for its next start. */
export interface KeptRoutes {
  count: Count;
  /** Null: this release does not understand it. */
  routes: Routes | null;
  /** By field, the count of the write that wrote it. */
  at: ReadonlyMap<string, Count>;
}

/** What the reader of its store begins with. */
export function entriesOf({ routes, at }: KeptRoutes): Map<string, PublishedValue> {
  const storedIn = (field: string) => {
    if (field === SETTINGS) return routes?.settings;
    if (!field.startsWith(ENVIRONMENT)) return routes?.apps.get(field);
    return routes?.environments.get(field.slice(ENVIRONMENT.length));
  };
  return new Map([...at].map(([field, at]) => [field, { at, value: storedIn(field) }]));
}

/**
 * What a reader has found: another table; the same one; only an older one, which it ignores; or none that it believes.
 */
export type RoutesFound = 'changed' | 'same' | 'older' | 'none';

/** A door's copy of the routes. It reads what has changed, and never goes back to an older count. */
export class RoutesReader {
  /** The newest table that was read; another object with each change, in which what has not changed is the same object. */
  routes: Routes | null = null;
  /** By field, the count of the write that wrote it. */
  at: ReadonlyMap<string, Count> = new Map();
  private readonly parsed = new ParsedValues();

  /** @param least the count of a table that is on disk: an older one is refused also after a restart; null: there is none */
  constructor(
    private readonly store: Pick<PublishedStore, 'count' | 'read'>,
    private readonly least: Count | null,
  ) {}

  /** @throws if the store cannot be reached */
  async read(): Promise<RoutesFound> {
    const have = this.routes?.count ?? null;
    const there = await this.store.count();
    if (!there) return 'none';
    const newest = have ?? this.least;
    if (newest && isAfter(newest, there)) return 'older';
    if (have && !isAfter(there, have)) return 'same';
    const found = await this.store.read(have);
    // Lost, or another one, since its count was read.
    if (!found || (newest && isAfter(newest, found.count))) return 'none';
    return this.take(found.count, found.entries) ? 'changed' : 'none';
  }

  /** @returns whether it is a table */
  private take(count: Count, entries: ReadonlyMap<string, PublishedValue>): boolean {
    const settings = routeSettings.safeParse(entries.get(SETTINGS)?.value).data;
    if (!settings) return false;
    const apps = new Map<string, AppRoute>();
    const environments = new Map<string, EnvironmentRoute>();
    for (const [field, { value }] of entries) {
      if (field.startsWith(ENVIRONMENT)) {
        const route = this.parsed.of(value, environmentRoute);
        if (route && field === ENVIRONMENT + route.name) environments.set(route.name, route);
      } else if (!field.startsWith(':')) {
        const route = this.parsed.of(value, appRoute);
        if (route?.uid === field) apps.set(field, route);
      }
    }
    this.at = new Map([...entries].map(([field, { at }]) => [field, at]));
    this.routes = { count, settings, apps, environments };
    return true;
  }
}
