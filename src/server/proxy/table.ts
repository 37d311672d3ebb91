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
  #apps: ReadonlyMap<string, RouteApp> = new Map();
  #domains: ReadonlyMap<string, string> = new Map();
  #environments: ReadonlyMap<string, RouteEnvironment> = new Map();
  #loaded = false;

  /** False until the first `replaceApps`: until then no app may be called unknown. */
  get loaded(): boolean {
    return this.#loaded;
  }

  replaceApps(apps: Iterable<RouteApp>): void {
    const byName = new Map<string, RouteApp>();
    const byDomain = new Map<string, string>();
    for (const app of apps) {
      byName.set(app.name, app);
      const domain = hostnameOf(app.cname ?? '');
      if (domain && !byDomain.has(domain)) byDomain.set(domain, app.name);
    }
    this.#apps = byName;
    this.#domains = byDomain;
    this.#loaded = true;
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
