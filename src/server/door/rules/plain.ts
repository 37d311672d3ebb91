import type { RouteSettings } from '../../../shared/routes';
import { SSO_RESOURCE } from '../../../shared/sso';
import { DOMAIN_PATH } from '../../protocol/domain-proof';
import { BY_MAIN } from './maps';
import { type DoorPlace, MAPS } from './place';
import { literal, quoted } from './text';

/**
 * What is plainly understood: a rule for each thing that only the module understands. `allow` ends the rules: a request of which one of
 * them speaks is left to the module at once, before a later one chooses a Worker.
 */
export function plainRules({ folder }: DoorPlace, settings: RouteSettings): string[] {
  return [
    '  # plainly understood, or left',
    ...headOf(folder, settings),
    ...connectionRules(),
    ...TOKEN_RULES,
    ...bodyRules(settings),
    ...COOKIE_RULES,
    ...pageRules(folder, settings),
  ];
}

/** @param conditions of which each is enough; what is seldom so comes first */
export const leave = (why: string, ...conditions: string[]): string[] => [
  `  http-request allow if ${conditions.join(' || ')} # ${why}`,
];

/** Characters of a path that every reader takes for themselves, and encoded ones that none takes for others. */
const SEGMENT = String.raw`(?:[A-Za-z0-9_.~!$&\x27()*+,;=:@-]++|%(?:2[0-46-9A-Ca-c]|3[B-Fb-f]|[89A-Fa-f][0-9A-Fa-f]))*+`;

function targetOf({ apiBase, publicPath, modernPrefix, wsPath }: RouteSettings): string {
  const [api, pages] = [literal(apiBase), literal(publicPath)];
  const clients = `(?:${literal(modernPrefix)}/|settings/|x/)?apps`;
  const left = [
    `.*/${SSO_RESOURCE}:`,
    `${api}/__app/[^/]*/__visit`,
    '/files/',
    `${literal(wsPath)}$`,
    `${pages}(?:files|${clients}|${literal(DOMAIN_PATH.replace(/\/$/, ''))})(?:/|$)`,
  ];
  return String.raw`^(?!${left.join('|')})(?:/(?!/|\.{1,2}(?:/|$))${SEGMENT})++$`;
}

/** Fields that say something which only the module knows, and those that readers understand differently if there are two. */
const LEFT_FIELDS = 'token|expect|trailer|x-app-environment|x-app-supervisor-via|http2-settings';
const SINGLE_FIELDS =
  'host|cookie|authorization|x-app|x-hostname|connection|upgrade|content-length|content-type|content-encoding|transfer-encoding|x-authenticator|x-forwarded-(?:for|host|proto)';
const FIELDS = String.raw`^(?!(?:.*,)?(?:${LEFT_FIELDS})(?:,|$)|(?:.*,)?(?<field>${SINGLE_FIELDS}),(?:.*,)?\k<field>(?:,|$))`;

/** Cookies as browsers send them, of which those of NocoBase are of a known kind, before a line with the app's name. */
const JAR = String.raw`^(?=[^\n]{0,8000}\n)(?!;|(?:[^\n]*; )?app_environment=[^\n]*; app_environment=)(?:(?:(?:^|; )(?!nb_|app_environment=)[\x21-\x3a\x3c\x3e-\x7e]++=[^;\n\x00-\x1f\x7f]*+)*+(?:(?:^|; )(?:${'nb_(?:auth_token|authenticator|role|csrf_token)_[A-Za-z0-9_-]++=[^;\\n\\x00-\\x1f\\x7f]*+'}|app_environment=[\w.~-]*+))?+){0,50}+\n`;
function headOf(folder: string, settings: RouteSettings): string[] {
  return [
    '  acl frames req.hdr_names -m reg (?:^|,)(?:upgrade|content-length|transfer-encoding)(?:,|$)',
    '  http-request set-var(txn.framed) bool(true) if frames',
    '  acl framed var(txn.framed) -m bool',
    ...socketRules(settings),
    `  acl plain_target path -m reg ${quoted(targetOf(settings))}`,
    '  acl plain_target var(txn.socket) -m bool',
    `  acl plain_fields req.hdr_names -m reg ${quoted(FIELDS)}`,
    '  acl plain_form url_beg /',
    '  acl plain_form req.ver 2.0 3.0',
    '  acl may_have_body method POST PUT PATCH DELETE',
    '  acl plain_method method GET HEAD OPTIONS POST PUT PATCH DELETE',
    `  http-request set-var(txn.line) var(txn.name),map_str(${folder}/${MAPS.apps}) if plain_method plain_form plain_target plain_fields`,
    `  acl plain_page path -m reg ${quoted(String.raw`^(?:/(?!/|\.{1,2}(?:/|$))${SEGMENT})++$`)}`,
    `  http-request set-var(txn.line) var(txn.name),map_str(${folder}/${MAPS.apps}) if { var(txn.away) -m found } plain_form plain_page plain_fields`,
    '  http-request set-var(txn.uid) var(txn.line),field(1,|)',
  ];
}

const socketRules = ({ wsPath }: RouteSettings): string[] => [
  `  acl socket path -m str ${wsPath}`,
  '  acl to_socket req.fhdr(upgrade) -m str websocket',
  '  acl upgrading req.fhdr(connection),lower -m reg ^(?:keep-alive,[[:blank:]]*)?upgrade$',
  '  http-request set-var(txn.socket) bool(true) if framed socket to_socket upgrading METH_GET',
  '  acl is_socket var(txn.socket) -m bool',
];

const connectionRules = (): string[] => [
  '  acl unusual_connection req.fhdr(connection),lower -m reg ^(?!(?:keep-alive|close)$)',
  '  acl upgrade req.fhdr(upgrade) -m found',
  ...leave('more than a connection that is kept', 'unusual_connection !is_socket', 'framed upgrade !is_socket'),
];

/** The module measures a body of somebody who is not signed in: what can never be too much for it needs no measure. */
const bodyRules = ({ bounds }: RouteSettings): string[] => [
  '  acl length req.fhdr(content-length) -m found',
  '  acl coded req.fhdr(transfer-encoding) -m found',
  '  acl whole internal.htx.has_eom',
  `  acl large req.hdr_val(content-length) gt ${Math.floor(bounds.anonymousBody / 32)}`,
  '  acl large req.fhdr(transfer-encoding) -m found',
  '  acl large req.fhdr(content-encoding) -m found',
  ...leave(
    'a body that is not announced, or not expected',
    '!whole !length !coded',
    'framed !may_have_body length',
    'framed !may_have_body coded',
    'framed METH_DELETE coded',
  ),
  ...leave('a body of somebody who is not signed in', 'framed may_have_body !token large'),
];

/** In a field that is not for tokens, such as `Referer`. */
const TOKEN_ELSEWHERE = String.raw`(?:^|\n)(?!authorization:|cookie:)[^\n]*eyJ`;

const TOKEN_RULES = [
  '  http-request set-var(txn.token) req.fhdr(authorization)',
  '  acl token var(txn.token) -m found',
  '  http-request set-var(txn.head) var(txn.line),field(3,|) if token',
  `  acl plain_token var(txn.token) -m reg ${quoted('^Bearer [A-Za-z0-9_.-]+$')}`,
  '  acl own_token var(txn.token),bytes(7),field(1,.),strcmp(txn.head) eq 0',
  ...leave('a token that is not the app’s own', 'token !plain_token', 'token !own_token'),
  ...leave(
    'what may be a token elsewhere',
    `{ query -m reg ${quoted('eyJ|%(?:65|79|4[aA])|token=')} }`,
    `{ req.hdrs -m reg ${quoted(TOKEN_ELSEWHERE)} }`,
  ),
];

const COOKIE_RULES = [
  String.raw`  http-request set-var(txn.jar) req.fhdr(cookie),concat("\n",txn.name) if { req.fhdr(cookie) -m sub nb_ app_environment }`,
  '  acl jar var(txn.jar) -m found',
  `  acl plain_jar var(txn.jar) -m reg ${quoted(JAR)}`,
  ...leave('cookies of unknown kinds', 'jar !plain_jar'),
];

/** Pages that the module answers itself, or leads elsewhere. */
function pageRules(folder: string, settings: RouteSettings): string[] {
  const { appsDomain, publicPath, modernPrefix } = settings;
  const inner = `^${literal(publicPath)}(?:${literal(modernPrefix)}/)?(?:$|(?:admin|mobile|m|x)(?:/|$))`;
  const byMain = `{ var(txn.line) -m sub |${BY_MAIN}| }`;
  const own = `host_only,lower,map_str(${folder}/${MAPS.hosts}),strcmp(txn.name) eq 0`;
  return [
    `  acl inner path -m reg ${quoted(inner)}`,
    ...leave('a page of an app that is entered by the main app', `${byMain} METH_GET inner`),
    ...(appsDomain === null
      ? []
      : leave(
          'another host than the app’s own',
          `{ req.fhdr(x-forwarded-host) -m found } !{ req.hdr(x-forwarded-host,1),${own} }`,
          `!{ req.fhdr(x-forwarded-host) -m found } !{ req.fhdr(host),${own} }`,
        )),
  ];
}
