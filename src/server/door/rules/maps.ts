import type { AppRoute, Routes } from '../../../shared/routes';
import { serverAddress } from '../../config/server-address';
import { backendOf, MAPS } from './place';

/** The content of HAProxy's maps: by file, by key. */
export type Maps = Record<keyof typeof MAPS, ReadonlyMap<string, string>>;

/** Kinds of apps, in the second field of their line. */
export const BY_MAIN = 'm';
const PLAIN = '-';
/** Instead of a backend. */
const NONE = '-';
/** Instead of the uid of an app in the names. */
export const STOPPED = '.';

/**
 * - `apps`: by name, what a rule needs of an app that runs: uid, kind, its backend, that of its second environment, and how its tokens begin;
 * - `hosts`: by host, the name of the app, whether it runs or not;
 * - `pins`: by `<name>.<environment>`, the backend of each environment in which the app runs, with another one if it runs there, too;
 * - `names`: of all apps, with their uids, or that they are stopped.
 */
export function mapsOf({ apps, environments }: Pick<Routes, 'apps' | 'environments'>): Maps {
  const pairs = new Set(pairsOf({ apps, environments }).keys());
  const prefixes = prefixesOf(environments);
  const maps = { apps: new Map(), hosts: new Map(), pins: new Map(), names: new Map() } satisfies Maps;
  for (const app of apps.values()) {
    const { uid, name, hosts } = app;
    maps.names.set(name, app.stopped ? STOPPED : uid);
    for (const host of hosts) if (!maps.hosts.has(host)) maps.hosts.set(host, name);
    if (app.environments.length) maps.apps.set(name, lineOf(app, pairs, prefixes.has(app.environments[0])));
    for (const environment of app.environments) {
      const both = backendOf(environment, otherOf(app, environment) ?? '');
      maps.pins.set(`${name}.${environment}`, pairs.has(both) ? both : backendOf(environment));
    }
  }
  return maps;
}

/** @param hasServer whether its first environment can have one: otherwise it has no backend, and the module decides where visitors go */
function lineOf(
  { uid, signIn, environments: [first, second] }: AppRoute,
  pairs: ReadonlySet<string>,
  hasServer: boolean,
): string {
  const both = second === undefined ? null : backendOf(first, second);
  const isPair = both !== null && pairs.has(both);
  const other = second === undefined || !hasServer || isPair ? NONE : backendOf(second);
  // The longest one comes last: HAProxy looks for a field character by character.
  return [uid, signIn ? BY_MAIN : PLAIN, isPair ? both : backendOf(first), other, tokenHead(uid)].join('|');
}

/** The first part of each token that the app signs (nocobase/token-names.ts). */
const tokenHead = (kid: string): string =>
  Buffer.from(JSON.stringify({ alg: 'HS256', typ: 'JWT', kid })).toString('base64url');

/** Who takes what this environment refuses of an app; undefined: it runs nowhere else. */
const otherOf = ({ environments: [first, second] }: AppRoute, environment: string): string | undefined =>
  environment === first ? second : first;

/** Before the path of each request, by environment: of those that can have a server. */
function prefixesOf(environments: Routes['environments']): Map<string, string> {
  const all = [...environments.values()].map(({ name, url }) => ({ name, prefix: serverAddress(url)?.prefix }));
  return new Map(all.flatMap(({ name, prefix }) => (prefix === undefined ? [] : [[name, prefix]])));
}

/** Pairs of environments that get a backend; apps of further ones are tried again at the same environment. */
const MOST_PAIRS = 500;

/**
 * Each pair once: first those that visitors of an app get in the order of its environments, then those of who is pinned to another one. Two
 * whose addresses have different paths are none: the path of a request is changed before one of them is chosen.
 */
export function pairsOf({ apps, environments }: Pick<Routes, 'apps' | 'environments'>): Map<string, [string, string]> {
  const prefixes = prefixesOf(environments);
  const pairs = new Map<string, [string, string]>();
  const add = (one: string | undefined, other: string | undefined) => {
    if (one === undefined || other === undefined || pairs.size === MOST_PAIRS) return;
    const prefix = prefixes.get(one);
    if (prefix !== undefined && prefix === prefixes.get(other)) pairs.set(backendOf(one, other), [one, other]);
  };
  for (const { environments } of apps.values()) add(environments[0], environments[1]);
  for (const app of apps.values()) for (const one of app.environments) add(one, otherOf(app, one));
  return new Map([...pairs].sort(([one], [other]) => (one < other ? -1 : 1)));
}

/** As HAProxy reads it. */
export const textOf = (map: ReadonlyMap<string, string>): string =>
  [...map].map(([key, value]) => `${key} ${value}\n`).join('');

/** Commands for the runtime socket that make one map of the other, in an order in which each step is right by itself. */
export function changesOf(before: Maps, after: Maps, folder: string): string[] {
  const changes = (Object.keys(MAPS) as Array<keyof Maps>).map((name) => {
    const file = `${folder}/${MAPS[name]}`;
    const gone = [...before[name].keys()].filter((key) => !after[name].has(key)).map((key) => `del map ${file} ${key}`);
    const written = [...after[name]].flatMap(([key, value]) => {
      const former = before[name].get(key);
      if (former === value) return [];
      return [`${former === undefined ? 'add' : 'set'} map ${file} ${key} ${value}`];
    });
    return { gone, written };
  });
  // A host leads to a name that is known, and no longer once the name is gone.
  return [...changes.flatMap(({ written }) => written), ...changes.reverse().flatMap(({ gone }) => gone)];
}
