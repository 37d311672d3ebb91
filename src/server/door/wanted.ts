import { createHash } from 'node:crypto';
import type { Routes } from '../../shared/routes';
import type { DoorConfig } from '../config/door';
import { CONFIGURATION_MARK } from './haproxy-process';
import { NO_ROUTES } from './no-routes';
import { CERTIFICATES, type DoorFiles, type DoorPlace, filesOf, type Listener } from './rules';
import { configurationOf } from './rules/configuration';
import lua from './rules/door.lua';
import { type Maps, mapsOf } from './rules/maps';

/** What HAProxy should have. */
export interface Wanted {
  /** Of all that it reads at its start alone: another one needs a reload. */
  mark: string;
  files: DoorFiles;
  maps: Maps;
}

/**
 * @param certificates those that HAProxy reads, by name of the file; where there are none it listens for no HTTPS
 * @param routes null: no table has ever come
 * @param hasIPv6 whether the machine has it
 */
export function wantedOf(
  config: DoorConfig,
  routes: Routes | null,
  certificates: ReadonlyMap<string, string>,
  hasIPv6: boolean,
): Wanted {
  const table = routes ?? NO_ROUTES;
  const place = placeOf(config, certificates.size > 0, hasIPv6, routes !== null);
  const configuration = configurationOf(place, table);
  const mark = createHash('sha256')
    .update(JSON.stringify([configuration, lua, [...certificates]]))
    .digest('hex')
    .slice(0, 16);
  const marked = configuration.replace('global\n', `global\n  setenv ${CONFIGURATION_MARK} ${mark}\n`);
  const maps = mapsOf(table);
  const files = filesOf(place, table, marked, maps);
  for (const [name, text] of certificates) files[`${CERTIFICATES}/${name}`] = text;
  return { mark, files, maps };
}

function placeOf(config: DoorConfig, isSecure: boolean, hasIPv6: boolean, hasTable: boolean): DoorPlace {
  const { folder, http, https, redirects, proxyProtocol, metrics, supervisors, threads, connections, authorities } =
    config;
  const listeners: Listener[] = [
    ...(http ? [{ address: http, certificates: null, proxyProtocol, redirects: redirects && isSecure }] : []),
    ...(https && isSecure
      ? [{ address: https, certificates: `${folder}/${CERTIFICATES}`, proxyProtocol, redirects: false }]
      : []),
  ];
  return {
    folder,
    hasTable,
    listeners,
    hasIPv6,
    metrics,
    supervisors,
    threads,
    connections,
    authorities,
    globals: GLOBALS,
  };
}

/** A former process ends with its last connection, or after this time, or when so many have followed it. */
const GLOBALS = ['hard-stop-after 24h', 'mworker-max-reloads 30'];
