import type { RouteSettings, Routes } from '../../../shared/routes';
import { backendsOf } from './backends';
import { tables } from './counts';
import { frontendOf } from './frontend';
import { boundTo, type DoorPlace, LUA, MAPS, SOCKET } from './place';

/** The whole of `haproxy.cfg`. Apps are in maps: it changes with them only where one runs in two environments that no other has. */
export function configurationOf(place: DoorPlace, routes: Omit<Routes, 'count'>): string {
  const { settings } = routes;
  return `${[
    ...globalsOf(place, settings),
    ...COMMON,
    ...tables(settings),
    ...frontendOf(place, settings),
    ...(place.metrics === null ? [] : metricsOf(boundTo(place.metrics, place.hasIPv6))),
    ...backendsOf(place, routes),
  ].join('\n')}\n`;
}

/**
 * Bytes of a pipe of the kernel, in which a large answer waits for its visitor: most answers of NocoBase fit into one. There is no limit of how
 * many: with `maxpipes` alone, HAProxy 3.0 wants more open files than it may have, and does not start.
 */
const PIPE_SIZE = 131_072;

function globalsOf({ folder, threads, connections, globals }: DoorPlace, settings: RouteSettings): string[] {
  return [
    'global',
    ...(threads === null ? [] : [`  nbthread ${threads}`]),
    // Two for each, and a pipe for each fourth. It would not start with a `maxconn` that the system does not allow.
    ...(connections === null ? [] : [`  fd-hard-limit ${Math.ceil(2.5 * connections) + 100}`]),
    `  tune.pipesize ${PIPE_SIZE}`,
    `  setenv DOOR_NAMES ${folder}/${MAPS.names}`,
    `  setenv DOOR_PUBLIC_PATH ${settings.publicPath}`,
    `  lua-load-per-thread ${folder}/${LUA}`,
    `  stats socket ${folder}/${SOCKET} mode 600 level admin expose-fd listeners`,
    '  stats timeout 1m',
    `  tune.http.maxhdr ${settings.bounds.headers}`,
    '  http-err-codes 400-499',
    '  http-fail-codes 500-599',
    ...globals.map((line) => `  ${line}`),
    'resolvers system',
    '  parse-resolv-conf',
    '  hold valid 5s',
    // What was found by other means, such as /etc/hosts, or while DNS answered, stays: the longest time that there is.
    ...['nx', 'refused', 'timeout', 'other'].map((answer) => `  hold ${answer} 24d`),
  ];
}

/** Time limits as the module has them (proxy/limits.ts); none limits a whole request. */
const COMMON = [
  'defaults common',
  '  mode http',
  '  timeout connect 2s',
  '  timeout client 600s',
  '  timeout server 600s',
  '  timeout http-request 60s',
  '  timeout http-keep-alive 65s',
  '  timeout check 2s',
  // A WebSocket may be silent for ever: the longest time that there is.
  '  timeout tunnel 24d',
  '  timeout client-fin 5s',
  '  timeout server-fin 5s',
  '  option clitcpka',
  '  clitcpka-idle 30s',
  '  option srvtcpka',
  '  srvtcpka-idle 30s',
  '  option http-no-delay',
  // A visitor who leaves ends his request at the Worker, too.
  '  option abortonclose',
  // After a reload the former process answers once more on a connection that is kept open, and then says that it closes it.
  '  option idle-close-on-response',
];

const metricsOf = (address: string): string[] => [
  'frontend metrics from common',
  `  bind ${address}`,
  '  http-request use-service prometheus-exporter if { path /metrics }',
  '  http-request return status 404',
];
