import { type AppsDomain, labelIn, labelOf } from '../../shared/origins';
import type { Health, Status } from '../../shared/types';
import { Feed } from '../feed';
import { INVALID_APP } from './naming';
import type { RouteSso } from './sso-page';

/**
 * The proxy's view of the fleet, in memory only: a proxied request costs map look-ups and nothing else (invariant 5).
 * The code that watches database and Redis replaces the content; while Redis is down the last table stays.
 */

export interface RouteApp {
  name: string;
  /** For visitors; absent: its name. */
  title?: string;
  /** For visitors: one of NocoBase's icons, or a picture as a data URI. */
  icon?: string | null;
  /** Absent or null: users of the main app are not signed in there. */
  sso?: RouteSso | null;
  /** Custom domain, or null. */
  cname: string | null;
  /** Whether visitors may be sent to that domain (shared/domain-check.ts); absent: yes. */
  leadsToDomain?: boolean;
  /** Whether the last checks have shown that the domain leads to this fleet; absent: no. */
  isDomainVerified?: boolean;
  desired: 'running' | 'onDemand' | 'stopped';
  /** In the app's own order. */
  environments: readonly string[];
  targetEnvironment: string | null;
  /** By environment; absent if not reported yet. The owner may change it in place. */
  statuses: { get(environment: string): Status | undefined };
  /** Whether it is being moved to another environment; absent: no. */
  isMoving?(): boolean;
  /** How many apps start in this environment before it; null if it does not wait for others, or nobody knows. */
  queuedBehind?(environment: string): number | null;
}

export interface RouteEnvironment {
  name: string;
  /** The address at which this Supervisor reaches the worker; its path is prepended to the request's path. */
  proxyUrl: string;
  /** Whether it serves requests at all (`WORKER_MODE`). */
  serves: boolean;
  health: Health;
  /** Epoch of the lease, if known. A new holder is another process, so refusals of the previous one no longer count. */
  epoch?: number;
}

export class RoutingTable {
  /** Of apps that may have changed: their names, or null for all. */
  readonly changes = new Feed<ReadonlySet<string> | null>();
  #apps = new Map<string, RouteApp>();
  #domains = new Map<string, string>();
  /** By label below the apps' domain, in the order of the letters: the first one has the label. */
  #labels = new Map<string, string[]>();
  #environments: ReadonlyMap<string, RouteEnvironment> = new Map();
  #loaded = false;

  /** @param appsDomain null: apps without a custom domain are reached below the Supervisor's own address */
  constructor(readonly appsDomain: AppsDomain | null = null) {}

  /** False until the first `replaceApps`; until then no app may be reported as unknown. */
  get loaded(): boolean {
    return this.#loaded;
  }

  replaceApps(apps: Iterable<RouteApp>): void {
    this.#apps = new Map();
    this.#domains = new Map();
    this.#labels = new Map();
    for (const app of apps) this.#add(app);
    this.#loaded = true;
    this.changes.emit(null);
  }

  /** Replaces or removes (null) some apps, at a cost that does not grow with the number of other apps. */
  changeApps(changes: ReadonlyMap<string, RouteApp | null>): void {
    // Removes all previous entries first, because a domain may have moved from one app to another.
    for (const name of changes.keys()) {
      const domain = hostnameOf(this.#apps.get(name)?.cname ?? '');
      if (this.#domains.get(domain) === name) this.#domains.delete(domain);
      this.#apps.delete(name);
      this.#keepLabel(name, false);
    }
    for (const app of changes.values()) if (app) this.#add(app);
    this.changes.emit(new Set(changes.keys()));
  }

  #add(app: RouteApp): void {
    this.#apps.set(app.name, app);
    this.#keepLabel(app.name, true);
    const domain = app.cname ? hostnameOf(app.cname) : '';
    if (domain && !this.#domains.has(domain)) this.#domains.set(domain, app.name);
  }

  #keepLabel(name: string, exists: boolean): void {
    const label = this.appsDomain && labelOf(name);
    if (!label) return;
    const names = (this.#labels.get(label) ?? []).filter((other) => other !== name);
    if (exists) names.push(name);
    if (names.length) this.#labels.set(label, names.sort());
    else this.#labels.delete(label);
  }

  replaceEnvironments(environments: Iterable<RouteEnvironment>): void {
    const byName = new Map<string, RouteEnvironment>();
    for (const environment of environments) byName.set(environment.name, environment);
    this.#environments = byName;
  }

  app(name: string): RouteApp | undefined {
    return this.#apps.get(name);
  }

  environment(name: string): RouteEnvironment | undefined {
    return this.#environments.get(name);
  }

  /**
   * Name of the app with this custom domain or this label below the apps' domain, or null. Any other host of the apps'
   * domain names `INVALID_APP`: main is never served where apps can set its cookies. Accepts an unmodified `Host` header.
   */
  appByDomain(host: string | undefined): string | null {
    if (!host || (this.#domains.size === 0 && this.appsDomain === null)) return null;
    const name = hostnameOf(host);
    const custom = this.#domains.get(name);
    if (custom !== undefined || this.appsDomain === null) return custom ?? null;
    const label = labelIn(name, this.appsDomain);
    return label === null ? null : (this.#labels.get(label)?.[0] ?? INVALID_APP);
  }

  /** All hosts at which the app is served. */
  hostsOf(app: RouteApp): string[] {
    const hosts = [app.cname && hostnameOf(app.cname), this.#hostBelow(app)];
    return hosts.filter((host): host is string => Boolean(host) && this.appByDomain(host as string) === app.name);
  }

  /** These apps, and those whose hosts follow from which of these there are. */
  withSameLabel(names: Iterable<string>): Set<string> {
    const all = new Set(names);
    for (const name of [...all]) for (const other of this.#labels.get(labelOf(name) ?? '') ?? []) all.add(other);
    return all;
  }

  /**
   * The host of the app's own origin: its custom domain if that works, or that of its label. Null where apps share the Supervisor's
   * origin, because no domain is set for them.
   */
  ownHost(app: RouteApp): string | null {
    if (this.appsDomain === null) return null;
    const below = this.#hostBelow(app);
    return app.cname && (app.leadsToDomain !== false || below === null) ? hostnameOf(app.cname) : below;
  }

  /**
   * The app's own hosts to which codes of a sign-in may be sent. A domain that is not verified may be somebody else's: it has
   * lapsed, or was never this fleet's.
   */
  signInHostsOf(app: RouteApp): string[] {
    const below = this.#hostBelow(app);
    const domain = app.cname && app.isDomainVerified === true ? [hostnameOf(app.cname)] : [];
    return below === null ? domain : [...domain, below];
  }

  #hostBelow({ name }: RouteApp): string | null {
    const label = this.appsDomain && labelOf(name);
    const isHolder = label !== null && this.#labels.get(label)?.[0] === name;
    return isHolder ? `${label}.${this.appsDomain?.host}` : null;
  }
}

/** `Host` without port and trailing dot, in lower case; empty if it is not a host (user info, several values). */
export function hostnameOf(host: string): string {
  if (host.includes('@') || host.includes(',')) return '';
  const end = host.startsWith('[') ? host.indexOf(']') + 1 : host.indexOf(':');
  const name = (end > 0 ? host.slice(0, end) : host).trim().toLowerCase();
  return name.endsWith('.') ? name.slice(0, -1) : name;
}
