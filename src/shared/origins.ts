import { DOMAIN } from './names';

/**
 * The origins of apps: an app's own domain, or its label below `APP_SUPERVISOR_APPS_DOMAIN`. No Node here: pages may
 * import this file.
 */

/** `APP_SUPERVISOR_APPS_DOMAIN`: `[scheme://]host[:port]`. What it leaves out is that of the Supervisor's address. */
export interface AppsDomain {
  /** With its colon, as in `URL`; null: that of the visitor's page. */
  protocol: 'http:' | 'https:' | null;
  host: string;
  /** Empty: the default port of the scheme, or that of the visitor's page if no scheme is given. */
  port: string;
}

/** The addresses by which visitors reach main and apps. */
export interface Addresses {
  /** `APP_SUPERVISOR_PUBLIC_URL`, without trailing slash. */
  publicUrl: string | null;
  /** `APP_SUPERVISOR_APPS_DOMAIN`. */
  appsDomain: string | null;
}

/** @returns null if the text has another form, or names a host below which no names exist (an IPv4 address) */
export function parseAppsDomain(text: string): AppsDomain | null {
  const parts = /^(?:(https?:)\/\/)?([a-z0-9.-]{1,200})(?::(\d{1,5}))?\/?$/i.exec(text);
  if (!parts) return null;
  const [, protocol, host, port = ''] = parts;
  const isName = DOMAIN.test(host.toLowerCase()) && !/(?:^|\.)\d+$/.test(host);
  if (!isName || Number(port) > 65_535) return null;
  return { protocol: (protocol?.toLowerCase() as AppsDomain['protocol']) ?? null, host: host.toLowerCase(), port };
}

/** The label of an app below the apps' domain, or null for a name that makes none (`crm-`, `xn--crm`). */
export function labelOf(name: string): string | null {
  const label = name.toLowerCase().replaceAll('_', '-');
  return label.endsWith('-') || label.startsWith('xn--') ? null : label;
}

/** The label of a host directly below the domain; empty for the domain itself and for deeper hosts; null for others. */
export function labelIn(host: string, domain: AppsDomain): string | null {
  if (host === domain.host) return '';
  if (!host.endsWith(`.${domain.host}`)) return null;
  const label = host.slice(0, -domain.host.length - 1);
  return label.includes('.') ? '' : label;
}

/** Whether main, at this host, receives cookies that an app can set for all hosts below the domain. */
export const receivesCookiesOf = (mainHost: string, domain: AppsDomain): boolean => labelIn(mainHost, domain) !== null;

/**
 * Which app has which label. Names that differ only in case or in `_` and `-` share one: then it belongs to the first of
 * them in the order of their letters, on every process alike, and the others have none.
 */
export function labelsOf(names: Iterable<string>): Map<string, string> {
  const labels = new Map<string, string>();
  for (const name of names) {
    const label = labelOf(name);
    if (label === null) continue;
    const holder = labels.get(label);
    if (holder === undefined || name < holder) labels.set(label, name);
  }
  return labels;
}

/**
 * The address of a host of an app, without trailing slash. Without a known scheme it begins with `//`.
 * @param host a custom domain, or a label with the apps' domain
 */
export function addressOf(host: string, { publicUrl, appsDomain }: Addresses): string {
  const page = publicUrl ? new URL(publicUrl) : { protocol: '', port: '' };
  const domain = appsDomain === null ? null : parseAppsDomain(appsDomain);
  if (!domain || labelIn(host, domain) === null) return join(page.protocol, host, page.port);
  const isGiven = domain.protocol !== null || domain.port !== '';
  return join(domain.protocol ?? page.protocol, host, isGiven ? domain.port : page.port);
}

const join = (protocol: string, host: string, port: string): string => `${protocol}//${host}${port ? `:${port}` : ''}`;

/**
 * The name of the host in an address, or in a header such as `Host`, as browsers write it: in lower case and Punycode, without
 * port and final dot. Null for what is none.
 */
export function hostIn(text: string): string | null {
  try {
    const { hostname } = new URL(text.includes('://') ? text : `http://${text}`);
    return hostname.toLowerCase().replace(/\.$/, '') || null;
  } catch {
    return null;
  }
}

/** Whether a host has a name of its own: neither an IP address, however it is written, nor this machine. */
export function isNamedHost(host: string): boolean {
  const name = hostIn(host);
  return name !== null && name !== 'localhost' && !name.startsWith('[') && !/(?:^|\.)\d+$/.test(name);
}

/** What answers at a host of the fleet itself: `main`, or the name of an environment. */
export type FleetHosts = ReadonlyMap<string, string>;

/** @param workers addresses of Workers, by environment */
export function fleetHosts(
  { publicUrl, appsDomain }: Addresses,
  workers: Iterable<readonly [environment: string, addresses: readonly string[]]>,
): FleetHosts {
  const hosts = new Map<string, string>();
  for (const [environment, addresses] of workers)
    for (const address of addresses) {
      const host = hostIn(address);
      if (host !== null) hosts.set(host, environment);
    }
  for (const host of [publicUrl && hostIn(publicUrl), appsDomain && parseAppsDomain(appsDomain)?.host])
    if (host) hosts.set(host, 'main');
  return hosts;
}
