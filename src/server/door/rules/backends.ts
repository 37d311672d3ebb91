import type { RouteSettings, Routes } from '../../../shared/routes';
import { type ServerAddress, serverAddress } from '../../config/server-address';
import { VIA } from '../../proxy/headers';
import { forwardedAnew, HOP_BY_HOP, PROTO, SAYS_PROTO } from './forwarded';
import { pairsOf, STOPPED } from './maps';
import { answering, jsonAnswer, lateAnswer, visitorKinds } from './own-answers';
import { backendOf, type DoorPlace, MAPS, socketsOf } from './place';
import { literal, quoted } from './text';

/** Where the rules send requests: the Supervisors, and the Worker of each environment. */
export function backendsOf(place: DoorPlace, routes: Omit<Routes, 'count'>): string[] {
  const { settings, environments } = routes;
  const workers = new Map<string, Worker>();
  for (const { name, url } of environments.values()) {
    const address = serverAddress(url);
    if (address !== null) workers.set(name, { name, address, server: serverOf(address, place, 'no-check-ssl') });
  }
  const pairs = [...pairsOf(routes).values()].map((names) => names.map((name) => workers.get(name)));
  return [
    ...supervisors(place, settings),
    'backend busy from common',
    ...visitorKinds(settings.apiBase),
    ...answering(place.folder, 'ADDRESS_BUSY', '{ var(txn.busy) -m str address }'),
    ...answering(place.folder, 'APP_BUSY', 'TRUE'),
    'defaults for-workers from common',
    ...towardsApp(settings, place.folder),
    ...[...workers.values()].flatMap((worker) => single(worker)),
    'defaults for-pairs from common',
    ...towardsApp(settings, place.folder),
    ...READ_AGAIN(settings),
    ...pairs.flatMap(([first, second]) => (first && second ? pair(first, second) : [])),
  ];
}

/** The module; while it is away, visitors are told so. */
const supervisors = (place: DoorPlace, { apiBase }: RouteSettings): string[] => [
  'defaults for-supervisors from common',
  '  http-request del-header X-Forwarded-For if { req.fhdr(x-forwarded-for) -m len 0 }',
  '  http-request add-header X-Forwarded-For %[src]',
  `  http-request set-header X-Forwarded-Proto ${PROTO} if !${SAYS_PROTO}`,
  'backend module from for-supervisors',
  '  http-reuse always',
  `  option httpchk GET ${apiBase}/__ready`,
  // One that is busy is waited for, also where its queue of connections is full: after a restart all browsers come back at once. One that
  // is gone refuses the connection, which marks it as down at once, so that the next request does not wait.
  '  timeout connect 10s',
  '  timeout check 10s',
  '  default-server check inter 1s fall 3 rise 1 observe layer4 error-limit 1 on-error mark-down',
  '  option redispatch 1',
  lateAnswer(place.folder, 'APP_PREPARING', 'html'),
  ...visitorKinds(apiBase),
  '  acl away nbsrv(module) lt 1',
  `  http-request set-var(txn.known) var(txn.name),map_str(${place.folder}/${MAPS.names}) if away`,
  `  acl names_some_app var(txn.name) -m reg ${quoted('^(?!main$)[A-Za-z]')}`,
  ...answering(place.folder, 'APP_STOPPED', `away { var(txn.known) -m str ${STOPPED} }`),
  ...answering(place.folder, 'APP_ENVIRONMENT_UNAVAILABLE', 'away { var(txn.known) -m found }'),
  ...(place.hasTable ? answering(place.folder, 'APP_NOT_FOUND', 'away names_some_app') : []),
  ...answering(place.folder, 'APP_PREPARING', 'away'),
  ...place.supervisors.map((url, i) => `  server supervisor${i + 1} ${supervisorAt(url, place)}${i ? ' backup' : ''}`),
];

function supervisorAt(url: string, place: DoorPlace): string {
  const address = serverAddress(url);
  // config/door.ts has refused it.
  if (address === null) throw new Error(`HAProxy has no server for ${url}`);
  return serverOf(address, place, `check-ssl check-sni ${address.host}`);
}

/** Environments whose address no server can have: visits of their apps are left to the module. */
export const unusableOf = (environments: Routes['environments']): string[] =>
  [...environments.values()].filter(({ url }) => serverAddress(url) === null).map(({ name }) => name);

/** @param check of TLS: `no-check-ssl` where the port alone is asked, or how the check is made */
function serverOf({ host, isName, port, secure }: ServerAddress, { authorities }: DoorPlace, check: string): string {
  const tls = secure
    ? ` ssl verify required ca-file ${authorities ?? '@system-ca'} sni str(${host}) verifyhost ${host} ${check}`
    : '';
  // A name that is not known stops no start, and is looked up again while HAProxy runs.
  const found = isName && host !== 'localhost' ? ' resolvers system init-addr last,libc,none' : '';
  // Data that it does not take ends a connection, as in the module (proxy/ws.ts).
  return `${host === 'localhost' ? '127.0.0.1' : host}:${port}${tls}${found} tcp-ut 600s`;
}

/** What a request of an app, and its answer, may have. */
function towardsApp(settings: RouteSettings, folder: string): string[] {
  return [
    '  http-reuse always',
    // The kernel moves large answers from one connection to the other: nothing of HAProxy reads them.
    '  option splice-response',
    '  retries 1',
    ...(['UPSTREAM_RESET', 'APP_ENVIRONMENT_UNAVAILABLE', 'UPSTREAM_TIMEOUT'] as const).map((code) =>
      lateAnswer(folder, code, 'json'),
    ),
    `  http-request ${jsonAnswer(folder, 'APP_BUSY')} if { be_conn gt ${settings.bounds.requestsPerEnvironment} }`,
    ...forwardedAnew(),
    '  http-request add-header X-App %[var(txn.name)]',
    `  http-request add-header ${VIA} door`,
    ...answerOf(settings, folder),
  ];
}

/** What an answer may have; `allow` ends the rules for one that has nothing of it. */
const answerOf = ({ publicPath }: RouteSettings, folder: string): string[] => [
  '  http-response del-header keep-alive',
  // Rare, and all of it is decided in Lua; an answer that this has not read does not pass.
  `  acl rare_answer res.hdr_names -m reg ${quoted(`(?:^|,)(?:set-cookie|location|x-app-supervisor-away|${HOP_BY_HOP})(?:,|$)`)}`,
  '  http-response set-var(txn.read) bool(true) if rare_answer',
  '  acl to_read var(txn.read) -m bool',
  '  acl names_fields res.fhdr(connection),lower -m reg ^(?!(?:keep-alive|close|upgrade)$)',
  '  http-response return status 404 content-type text/plain string "Not Found" if { var(txn.file) -m bool } { res.fhdr(content-type) -m beg text/html }',
  '  http-response allow if !to_read !names_fields',
  `  http-response del-header ${quoted(`^${HOP_BY_HOP}$`)} -m reg if to_read`,
  '  acl sets_cookies res.fhdr(set-cookie) -m sub -i nb_ app_environment domain',
  `  acl leads_to_upload res.fhdr(location) -m reg -i ${quoted(`^(?:https?://[^/?#]*)?${literal(publicPath)}storage/uploads/`)}`,
  '  http-response set-var(txn.unread) bool(true) if to_read sets_cookies || to_read leads_to_upload || names_fields',
  // The nginx of a Worker's image says that NocoBase does not answer (proxy/away.ts).
  '  acl nginx_alone res.fhdr(x-app-supervisor-away) -m found',
  `  http-response ${jsonAnswer(folder, 'UPSTREAM_REFUSED')} if to_read { status 502 } { res.fhdr(x-app-supervisor-away) -m str refused }`,
  `  http-response ${jsonAnswer(folder, 'UPSTREAM_RESET')} if to_read { status 502 } nginx_alone`,
  '  http-response lua.read if { var(txn.unread) -m bool }',
  '  http-response return status 502 if { var(txn.unread) -m bool }',
];

interface Worker {
  name: string;
  address: ServerAddress;
  /** As `serverOf` writes it. */
  server: string;
}

/** Until a WebSocket is open; then the limit of tunnels holds. */
const HANDSHAKE = '  timeout server 10s';

/** A busy Worker is no dead one: its port is asked, not NocoBase. */
const CHECK = 'check inter 1s fastinter 500ms fall 2 rise 1 observe layer4 error-limit 1 on-error mark-down';

const prefixed = ({ address: { prefix } }: Worker): string[] =>
  prefix ? [`  http-request set-path ${prefix}%[path]`] : [];

/** A refused connection is tried once more, after a second. */
function single(worker: Worker): string[] {
  const { name, server } = worker;
  const at = backendOf(name);
  const own = prefixed(worker);
  return [
    `backend ${at} from for-workers`,
    ...own,
    `  server ${name} ${server} ${CHECK}`,
    `backend ${socketsOf(at)} from for-workers`,
    HANDSHAKE,
    ...own,
    `  server ${name} ${server} track ${at}/${name}`,
  ];
}

/**
 * What the first one refuses, the second one gets at once: HAProxy waits for a second before it turns to a `backup`, and not where both take
 * turns, which `use-server` keeps to the first one as long as it is up.
 */
function pair(first: Worker, second: Worker): string[] {
  const at = backendOf(first.name, second.name);
  const rules = [
    ...prefixed(first),
    '  option redispatch 1',
    '  balance roundrobin',
    `  use-server ${first.name} if TRUE`,
    `  server ${first.name} ${first.server} track ${backendOf(first.name)}/${first.name}`,
    `  server ${second.name} ${second.server} track ${backendOf(second.name)}/${second.name}`,
  ];
  return [`backend ${at} from for-pairs`, ...rules, `backend ${socketsOf(at)} from for-pairs`, HANDSHAKE, ...rules];
}

/** A read whose Worker ends without an answer is asked of the other one (proxy/url.ts). It costs a copy of each request. */
const READ_AGAIN = ({ apiBase }: RouteSettings): string[] => [
  '  retry-on conn-failure empty-response',
  `  acl reads path -m reg ${quoted(`^(?!${literal(apiBase)}/)|^[^:]*:(?:list|get)(?:/[^:]*)?$`)}`,
  '  acl with_body req.fhdr(content-length) -m found',
  '  acl again method GET HEAD',
  '  http-request disable-l7-retry if !again || with_body || !reads',
  // So that the nginx of its image ends the connection where its NocoBase does not answer: an answer is no reason to ask the other one.
  `  http-request set-header ${VIA} door-again if again !with_body reads`,
];
