import type { AppRoute, Routes } from '../../../shared/routes';
import { backendOf, MAPS } from './place';

/** The content of HAProxy's maps: by file, by key. */
export type Maps = Record<keyof typeof MAPS, ReadonlyMap<string, string>>;

/** Kinds of apps, in the second field of their line. */
export const BY_MAIN = 'm';
const PLAIN = '-';

/**
 * - `apps`: by name, what a rule needs of an app that runs: uid, kind, and the backends of the first two environments;
 * - `hosts`: by host, the name of the app, whether it runs or not;
 * - `pins`: by `<name>.<environment>`, the backend of each environment in which the app runs;
 * - `names`: of all apps.
 */
export function mapsOf({ apps }: Pick<Routes, 'apps'>): Maps {
  const maps = { apps: new Map(), hosts: new Map(), pins: new Map(), names: new Map() } satisfies Maps;
  for (const app of apps.values()) {
    const { uid, name, hosts, environments } = app;
    maps.names.set(name, uid);
    for (const host of hosts) if (!maps.hosts.has(host)) maps.hosts.set(host, name);
    if (environments.length) maps.apps.set(name, lineOf(app));
    for (const environment of environments) maps.pins.set(`${name}.${environment}`, backendOf(environment));
  }
  return maps;
}

const lineOf = ({ uid, signIn, environments }: AppRoute): string =>
  [uid, signIn ? BY_MAIN : PLAIN, ...environments.slice(0, 2).map(backendOf)].join('|');

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
