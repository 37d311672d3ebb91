import type { RouteSettings } from '../../../shared/routes';
import { forwardedRules } from './forwarded';
import { cookiesForApp } from './own-cookies';
import { TABLES } from './place';
import { leave, SIGN_IN } from './plain';
import { quoted } from './text';
import { networksOf } from './trusted';

/** Sign-ins of an address that may follow each other at once; the others come as the limit for a minute allows. */
const SIGN_INS_AT_ONCE = 50;
const signInsAtOnce = ({ bounds }: RouteSettings): number => Math.min(SIGN_INS_AT_ONCE, bounds.signInsPerAddress);

const table = (name: string, type: string, expire: string, store: string): string[] => [
  `backend ${name} from common`,
  `  stick-table type ${type} size 100k expire ${expire} store ${store}`,
];

/** The tables in which HAProxy counts. */
export function tables(settings: RouteSettings): string[] {
  const seconds = Math.max(1, Math.round((60 * signInsAtOnce(settings)) / settings.bounds.signInsPerAddress));
  const [section, name] = TABLES.apps.split('/');
  const counts = 'http_req_cnt,http_err_cnt,http_fail_cnt,bytes_in_cnt,bytes_out_cnt,conn_cur';
  return [
    // A process that ends after a reload empties the table of each backend before anybody has asked for its counts, and this one it does not.
    `peers ${section}`,
    '  disabled',
    `  table ${name} type string len 65 size 100k expire 24d store ${counts}`,
    ...table(TABLES.sockets, 'string len 65', '1h', 'conn_cur'),
    ...table(TABLES.addresses, 'ipv6', '1h', 'conn_cur,http_req_rate(2s)'),
    ...table(TABLES.signIns, 'ipv6', '10m', `http_req_rate(${seconds}s)`),
  ];
}

/** The address of the visitor, where a limit counts it: the last one that trusted proxies did not name for each other. */
function address(networks: readonly string[]): string[] {
  const counted = '{ var(txn.counts) -m bool }';
  const named = (place: number) => `req.hdr_ip(x-forwarded-for,${place})`;
  const isTrusted = networks.length ? `{ var(txn.address) -m ip ${networks.join(' ')} }` : 'FALSE';
  return [
    `  http-request set-var(txn.address) src if ${counted}`,
    ...[-1, -2, -3].map(
      (place) =>
        `  http-request set-var(txn.address) ${named(place)} if ${counted} ${isTrusted} { ${named(place)} -m found }`,
    ),
  ];
}

/** Whose visitors are counted by address: WebSockets, of which those that come too fast wait at the module, and sign-ins. */
export const addressRules = ({ trustedProxies }: RouteSettings): string[] => [
  '  # counted by address',
  `  acl sign_in path -m reg -i ${quoted(SIGN_IN)}`,
  '  http-request set-var(txn.counts) bool(true) if is_socket || sign_in',
  ...address(networksOf(trustedProxies)),
  ...leave(
    'more WebSockets than may be opened so fast',
    `is_socket { var(txn.address),table_http_req_rate(${TABLES.addresses}) gt 200 }`,
  ),
];

/** Counts what is taken, and keeps it within the limits of the module. */
export function countRules(settings: RouteSettings): string[] {
  const { bounds } = settings;
  const { apps, sockets, addresses, signIns } = TABLES;
  return [
    '  # counted where it is taken',
    `  http-request track-sc0 var(txn.uid) table ${apps}`,
    ...cookiesForApp(),
    ...forwardedRules(),
    ...leave('nothing more to count', `!{ var(txn.counts) -m bool } !{ sc0_conn_cur gt ${bounds.requestsPerApp} }`),
    `  http-request track-sc1 var(txn.uid) table ${sockets} if is_socket`,
    `  http-request track-sc2 var(txn.address) table ${addresses} if is_socket`,
    `  http-request track-sc2 var(txn.address) table ${signIns} if { var(txn.counts) -m bool } !is_socket`,
    `  http-request set-var(txn.open) var(txn.uid),table_conn_cur(${sockets}) if !is_socket { sc0_conn_cur gt ${bounds.requestsPerApp} }`,
    `  http-request set-var(txn.busy) str(app) if { var(txn.open) -m found } { sc0_conn_cur,sub(txn.open) gt ${bounds.requestsPerApp} }`,
    `  http-request set-var(txn.busy) str(app) if is_socket { sc1_conn_cur gt ${bounds.webSocketsPerApp} }`,
    `  http-request set-var(txn.busy) str(address) if is_socket { sc2_conn_cur gt ${bounds.webSocketsPerAddress} }`,
    `  http-request set-var(txn.busy) str(address) if { var(txn.counts) -m bool } !is_socket { sc2_http_req_rate gt ${signInsAtOnce(settings)} }`,
  ];
}
