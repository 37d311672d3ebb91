import type { RouteSettings } from '../../../shared/routes';
import { ENVIRONMENT_HEADER } from '../../proxy/sticky-environment';
import { addressRules, countRules } from './counts';
import { boundTo, type DoorPlace, type Listener, MAPS } from './place';
import { leave, plainConditions, plainRules } from './plain';
import { literal, quoted } from './text';
import { networksOf } from './trusted';
import { usualRules } from './usual';

/**
 * The rules that decide which requests go to Workers. They take what is plainly understood, and count it; all else goes to the Supervisor as
 * it came, but for the fields that say who forwarded it. Whatever a rule cannot read is not taken.
 *
 * Variables of a request: `name` of the app it names, `line` of that app in the map, `uid`, `at` (the backend), and `jar`, its cookies if
 * some may have to go.
 */
export function frontendOf(place: DoorPlace, settings: RouteSettings): string[] {
  const networks = networksOf(settings.trustedProxies);
  return [
    'frontend door from common',
    ...place.listeners.map((listener) => bindOf(listener, place)),
    ...redirect(place.listeners),
    `  tcp-request session set-var(sess.trusted) bool(true) if ${networks.length ? `{ src ${networks.join(' ')} }` : 'FALSE'}`,
    '  # whose visitor this is: forwarded fields of strangers are not believed',
    `  http-request del-header ${quoted('^(?:forwarded|x-real-ip|x-forwarded-.*)$')} -m reg if !{ var(sess.trusted) -m bool } { req.hdr_names -m sub forwarded real-ip }`,
    ...plainConditions(),
    ...namedByPath(settings),
    ...usualRules(place, settings),
    ...naming(place),
    ...whileAway(settings),
    ...plainRules(place, settings),
    ...addressRules(settings),
    ...environment(place),
    ...countRules(settings),
    ...answers(settings),
    ...destination(),
  ];
}

function bindOf({ address, certificates, proxyProtocol }: Listener, { hasIPv6 }: DoorPlace): string {
  const tls = certificates === null ? '' : ` ssl crt ${quoted(certificates)} alpn h2,http/1.1`;
  // Data that a visitor does not take ends his connection, as in the module (proxy/ws.ts).
  return `  bind ${boundTo(address, hasIPv6)}${proxyProtocol ? ' accept-proxy' : ''}${tls} tcp-ut 600s`;
}

/** From HTTP to the port of HTTPS, which a container's engine or a Service may lead to from its usual number, 443. */
function redirect(listeners: readonly Listener[]): string[] {
  const secure = listeners.find(({ certificates }) => certificates !== null);
  if (!secure || !listeners.some(({ redirects }) => redirects)) return [];
  const port = /:\d+$/.exec(secure.address)?.[0].replace(/^:443$/, '');
  return [`  http-request redirect prefix https://%[req.fhdr(host),host_only]${port} code 308 if !{ ssl_fc }`];
}

/** The first place in which the module looks (proxy/naming.ts). */
function namedByPath({ apiBase }: RouteSettings): string[] {
  const prefix = `${apiBase}/__app/`;
  return [
    '  # the app: path of the API',
    `  http-request set-var(txn.name) path,field(${prefix.split('/').length},/) if { path_beg ${prefix} }`,
  ];
}

/** Which app a request names, as the module finds it (proxy/naming.ts): `.` for what is left to it. */
function naming({ folder }: DoorPlace): string[] {
  const hosts = `${folder}/${MAPS.hosts}`;
  const unnamed = '!{ var(txn.name) -m found }';
  return [
    '  # the app: parameter, header, host',
    // A key that names an app in any spelling, and then the one spelling that is understood.
    `  acl names_in_query query -m reg ${quoted('(?:^|&)(?:_|%5[Ff]){2}(?:a|%61)')}`,
    `  acl plainly_named query -m reg ${quoted(`^(?:(?!${KEY})[^&]*+&)*+__appName=[A-Za-z0-9_-]+(?:&(?!${KEY})[^&]*+)*+$`)}`,
    `  http-request set-var(txn.name) str(.) if ${unnamed} names_in_query`,
    `  http-request set-var(txn.name) ${quoted('query,regsub("^(?:.*&)?__appName=([A-Za-z0-9_-]+)(?:&.*)?$","\\1")')} if { var(txn.name) -m str . } names_in_query plainly_named`,
    `  http-request set-var(txn.name) req.fhdr(x-app) if ${unnamed} { req.fhdr(x-app) -m found }`,
    `  http-request set-var(txn.name) req.fhdr(x-hostname),host_only,lower,map_str(${hosts},.) if ${unnamed} { req.fhdr(x-hostname) -m found }`,
    `  http-request set-var(txn.name) req.fhdr(host),host_only,lower,map_str(${hosts},.) if ${unnamed}`,
  ];
}
const KEY = '(?:_|%5[Ff]){2}(?:a|%61)';

/** The environment: the one that the visitor has asked for, or the first whose Worker is there. */
function environment({ folder }: DoorPlace): string[] {
  const own = String.raw`~(?<app>[A-Za-z0-9_-]+)\.([^~\n]+)(?:~[^\n]*)?\n\k<app>$`;
  return [
    '  # its environment',
    '  http-request set-var(txn.at) var(txn.line),field(3,|)',
    '  http-request set-var(txn.at) var(txn.line),field(4,|) if !{ var(txn.at),nbsrv gt 0 }',
    `  http-request set-var-fmt(txn.pins) "~%[req.cook(app_environment)]\\n%[var(txn.name)]" if jar { var(txn.jar) -m sub app_environment= }`,
    `  acl pinned var(txn.pins) -m reg ${quoted(own)}`,
    `  http-request set-var(txn.pin) ${quoted(`var(txn.pins),regsub("^.*?${own}","\\1.\\2"),map_str(${folder}/${MAPS.pins},.)`)} if { var(txn.pins) -m found } pinned`,
    '  http-request set-var(txn.at) var(txn.pin) if { var(txn.pin) -m found }',
    ...leave(
      'nothing that is understood, or no Worker of its app is there',
      '!{ var(txn.uid) -m found }',
      '!{ var(txn.at),nbsrv gt 0 }',
    ),
  ];
}

/**
 * Pages below main's address of an app that runs, while no Supervisor is there: its Worker has them, too, and the files that they load,
 * which name no app, but the page in `Referer`.
 */
function whileAway({ appsDomain, publicPath, modernPrefix }: RouteSettings): string[] {
  if (appsDomain !== null) return [];
  const page = `${literal(publicPath)}(?:${literal(modernPrefix)}/)?apps/([A-Za-z0-9_-]+)`;
  const [ofPage, ofReferer] = [`^${page}(?:/.*)?$`, `^https?://[^/]+${page}(?:[/?].*)?$`];
  const names = (from: string, pattern: string) => quoted(`${from},regsub("${pattern}","\\1")`);
  const unnamed = 'away { var(txn.name) -m str . } { method GET HEAD } !names_in_query';
  return [
    '  acl away nbsrv(module) lt 1',
    `  acl page_of_app path -m reg ${quoted(ofPage)}`,
    `  acl file_of_page req.fhdr(referer) -m reg ${quoted(ofReferer)}`,
    String.raw`  acl is_file path -m reg \.[A-Za-z0-9]+$`,
    `  http-request set-var(txn.away) ${names('path', ofPage)} if ${unnamed} page_of_app`,
    `  http-request set-var(txn.file) bool(true) if ${unnamed} !page_of_app is_file file_of_page`,
    `  http-request set-var(txn.away) ${names('req.fhdr(referer)', ofReferer)} if { var(txn.file) -m bool }`,
    '  http-request set-var(txn.name) var(txn.away) if { var(txn.away) -m found }',
  ];
}

/** What is added to the answers of Workers, after the rules of the backend. */
const answers = ({ frameAncestors: { apps } }: RouteSettings): string[] => [
  `  http-response set-header ${ENVIRONMENT_HEADER} %[srv_name] if counted`,
  ...(apps
    ? [`  http-response add-header Content-Security-Policy "frame-ancestors ${apps}" if counted !{ status 101 }`]
    : []),
];

const destination = (): string[] => [
  '  # to the Worker, or to the Supervisor',
  '  use_backend busy if { var(txn.busy) -m found }',
  '  use_backend ws:%[var(txn.at)] if counted is_socket',
  '  use_backend %[var(txn.at)] if counted',
  '  default_backend module',
];
