import type { Health, Status } from '../../shared/types';

/**
 * The proxy's view of the fleet, in memory only: a proxied request costs map look-ups and nothing else (invariant 5).
 * The code that watches database and Redis replaces the content; while Redis is down the last table stays.
 */

export interface RouteApp {
  name: string;
  /** Custom domain, or null. */
  cname: string | null;
  desired: 'running' | 'onDemand' | 'stopped';
  /** In the app's own order. */
  environments: readonly string[];
  targetEnvironment: string | null;
  /** By environment; absent if not reported yet. The owner may change it in place. */
  statuses: { get(environment: string): Status | undefined };
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
  #apps = new Map<string, RouteApp>();
  #domains = new Map<string, string>();
  #environments: ReadonlyMap<string, RouteEnvironment> = new Map();
  #loaded = false;

  /** False until the first `replaceApps`; until then no app may be reported as unknown. */
  get loaded(): boolean {
    return this.#loaded;
  }

  replaceApps(apps: Iterable<RouteApp>): void {
    this.#apps = new Map();
    this.#domains = new Map();
    for (const app of apps) this.#add(app);
    this.#loaded = true;
  }

  /** Replaces or removes (null) some apps, at a cost that does not grow with the number of other apps. */
  changeApps(changes: ReadonlyMap<string, RouteApp | null>): void {
    // Removes all previous entries first, because a domain may have moved from one app to another.
    for (const name of changes.keys()) {
      const domain = hostnameOf(this.#apps.get(name)?.cname ?? '');
      if (this.#domains.get(domain) === name) this.#domains.delete(domain);
      this.#apps.delete(name);
    }
    for (const app of changes.values()) if (app) this.#add(app);
  }

  #add(app: RouteApp): void {
    this.#apps.set(app.name, app);
    const domain = app.cname ? hostnameOf(app.cname) : '';
    if (domain && !this.#domains.has(domain)) this.#domains.set(domain, app.name);
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

  /** Name of the app with this custom domain, or null. Accepts an unmodified `Host` header. */
  appByDomain(host: string | undefined): string | null {
    if (!host || this.#domains.size === 0) return null;
    return this.#domains.get(hostnameOf(host)) ?? null;
  }
}

/** `Host` without port and trailing dot, in lower case; empty if it is not a host (user info, several values). */
export function hostnameOf(host: string): string {
  if (host.includes('@') || host.includes(',')) return '';
  const end = host.startsWith('[') ? host.indexOf(']') + 1 : host.indexOf(':');
  const name = (end > 0 ? host.slice(0, end) : host).trim().toLowerCase();
  return name.endsWith('.') ? name.slice(0, -1) : name;
}
