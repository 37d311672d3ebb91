import type { Health, Status } from '../../shared/types';

/**
 * What the proxy knows of the fleet, in memory only: a proxied request costs map look-ups and nothing else
 * (invariant 5). Whoever watches database and Redis replaces the contents; with Redis away the last table stands.
 */

export interface RouteApp {
  name: string;
  /** Custom domain, or null. */
  cname: string | null;
  desired: 'running' | 'onDemand' | 'stopped';
  /** In the app's own order. */
  environments: readonly string[];
  targetEnvironment: string | null;
  /** By environment; an absent one has not been reported yet. May be changed in place by its owner. */
  statuses: { get(environment: string): Status | undefined };
}

export interface RouteEnvironment {
  name: string;
  /** Where this supervisor reaches the worker; a path in it is put before the request's. */
  proxyUrl: string;
  /** Whether it serves requests at all (`WORKER_MODE`). */
  serves: boolean;
  health: Health;
  /** Epoch of the lease, if known: a new holder is another process, so what the old one refused is forgotten. */
  epoch?: number;
}

export class RoutingTable {
  #apps = new Map<string, RouteApp>();
  #domains = new Map<string, string>();
  #environments: ReadonlyMap<string, RouteEnvironment> = new Map();
  #loaded = false;

  /** False until the first `replaceApps`: until then no app may be called unknown. */
  get loaded(): boolean {
    return this.#loaded;
  }

  replaceApps(apps: Iterable<RouteApp>): void {
    this.#apps = new Map();
    this.#domains = new Map();
    for (const app of apps) this.#add(app);
    this.#loaded = true;
  }

  /** Puts some apps in the place of what they were, or takes them out (null): at a cost that does not grow with the others. */
  changeApps(changes: ReadonlyMap<string, RouteApp | null>): void {
    // First all that was: a domain may have passed from one to another.
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

  /** Name of the app whose custom domain this is, or null. Takes a `Host` header as it came. */
  appByDomain(host: string | undefined): string | null {
    if (!host || this.#domains.size === 0) return null;
    return this.#domains.get(hostnameOf(host)) ?? null;
  }
}

/** `Host` without port and trailing dot, in lower case; empty for what is no host (user info, several values). */
export function hostnameOf(host: string): string {
  if (host.includes('@') || host.includes(',')) return '';
  const end = host.startsWith('[') ? host.indexOf(']') + 1 : host.indexOf(':');
  const name = (end > 0 ? host.slice(0, end) : host).trim().toLowerCase();
  return name.endsWith('.') ? name.slice(0, -1) : name;
}
