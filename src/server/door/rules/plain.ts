import type { RouteSettings } from '../../../shared/routes';
import { SSO_RESOURCE } from '../../../shared/sso';
import { DOMAIN_PATH } from '../../protocol/domain-proof';
import { BY_MAIN } from './maps';
import { cookieConditions, JAR } from './own-cookies';
import { type DoorPlace, MAPS } from './place';
import { literal, quoted } from './text';

/** Conditions that several rules have. */
export const plainConditions = (): string[] => [
  '  acl plain_form url_beg /',
  '  acl plain_form req.ver 2.0 3.0',
  '  acl may_have_body method POST PUT PATCH DELETE',
  '  acl plain_method method GET HEAD OPTIONS POST PUT PATCH DELETE',
  // HTTP/2 need not announce a body: it comes, or has come already.
  '  acl whole internal.htx.has_eom',
  '  acl with_data req.body_len gt 0',
  '  acl unusual_connection req.fhdr(connection),lower -m reg ^(?!(?:keep-alive|close)$)',
  '  acl upgrade req.fhdr(upgrade) -m found',
  '  acl token var(txn.token) -m found',
  `  acl own_token var(txn.token) -m reg ${quoted(OWN_TOKEN)}`,
  `  acl token_in_query query -m reg ${quoted('eyJ|%(?:65|79|4[aA])|token=')}`,
  `  acl token_elsewhere req.hdrs -m reg ${quoted(TOKEN_ELSEWHERE)}`,
  ...cookieConditions(),
];

/**
 * What is plainly understood: a rule for each thing that only the module understands. `allow` ends the rules: a request of which one of
 * them speaks is left to the module at once, before a later one chooses a Worker.
 */
export function plainRules({ folder }: DoorPlace, settings: RouteSettings): string[] {
  return [
    '  # plainly understood, or left',
    ...headOf(folder, settings),
    ...CONNECTION_RULES,
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

/** The whole of a path, of which no part is empty or leads elsewhere. */
const PLAIN_PATH = String.raw`(?:/(?!/|\.{1,2}(?:/|$))${SEGMENT})++$`;

/** Paths that the rules understand, and not the module alone. */
export function targetOf({ apiBase, publicPath, modernPrefix, wsPath }: RouteSettings): string {
  const [api, pages] = [literal(apiBase), literal(publicPath)];
  const clients = `(?:${literal(modernPrefix)}/|settings/|x/)?apps`;
  const left = [
    `.*/${SSO_RESOURCE}:`,
    `${api}/__app/[^/]*/__visit`,
    '/files/',
    `${literal(wsPath)}$`,
    `${pages}(?:files|${clients}|${literal(DOMAIN_PATH.replace(/\/$/, ''))})(?:/|$)`,
  ];
  return `(?!${left.join('|')})${PLAIN_PATH}`;
}

/** Fields that say something which only the module knows, and those that readers understand differently if there are two. */
export const LEFT_FIELDS = 'token|expect|trailer|x-app-environment|x-app-supervisor-via|http2-settings';
const SINGLE_FIELDS =
  'host|cookie|authorization|x-app|x-hostname|connection|upgrade|content-length|content-type|content-encoding|transfer-encoding|x-authenticator|x-forwarded-(?:for|host|proto)';
const FIELDS = String.raw`^(?!(?:.*,)?(?:${LEFT_FIELDS})(?:,|$)|(?:.*,)?(?<field>${SINGLE_FIELDS}),(?:.*,)?\k<field>(?:,|$))`;

function headOf(folder: string, settings: RouteSettings): string[] {
  return [
    '  acl frames req.hdr_names -m reg (?:^|,)(?:upgrade|content-length|transfer-encoding)(?:,|$)',
    '  http-request set-var(txn.framed) bool(true) if frames',
    '  acl framed var(txn.framed) -m bool',
    ...socketRules(settings),
    `  acl plain_target path -m reg ${quoted(`^${targetOf(settings)}`)}`,
    '  acl plain_target var(txn.socket) -m bool',
    `  acl plain_fields req.hdr_names -m reg ${quoted(FIELDS)}`,
    `  http-request set-var(txn.line) var(txn.name),map_str(${folder}/${MAPS.apps}) if plain_method plain_form plain_target plain_fields`,
    `  acl plain_page path -m reg ${quoted(`^${PLAIN_PATH}`)}`,
    `  http-request set-var(txn.line) var(txn.name),map_str(${folder}/${MAPS.apps}) if { var(txn.away) -m found } plain_form plain_page plain_fields`,
    '  http-request set-var(txn.uid) var(txn.line),field(1,|)',
  ];
}

const socketRules = ({ wsPath }: RouteSettings): string[] => [
  `  acl socket path -m str ${wsPath}`,
  '  acl to_socket req.fhdr(upgrade) -m str websocket',
  '  acl upgrading req.fhdr(connection),lower -m reg ^(?:keep-alive,[[:blank:]]*)?upgrade$',
  '  http-request set-var(txn.socket) bool(true) if framed socket to_socket upgrading { method GET }',
  '  acl is_socket var(txn.socket) -m bool',
];

const CONNECTION_RULES = leave(
  'more than a connection that is kept',
  'unusual_connection !is_socket',
  'framed upgrade !is_socket',
);

/** The module measures a body of somebody who is not signed in: what can never be too much for it needs no measure. */
const bodyRules = ({ bounds }: RouteSettings): string[] => [
  '  acl length req.fhdr(content-length) -m found',
  '  acl coded req.fhdr(transfer-encoding) -m found',
  `  acl large req.hdr_val(content-length) gt ${Math.floor(bounds.anonymousBody / 32)}`,
  '  acl large req.fhdr(transfer-encoding) -m found',
  '  acl large req.fhdr(content-encoding) -m found',
  ...leave(
    'a body that is not announced, or not expected',
    '!whole !length !coded',
    'with_data !length !coded',
    'framed !may_have_body length',
    'framed !may_have_body coded',
    'framed METH_DELETE coded',
  ),
  ...leave('a body of somebody who is not signed in', 'framed may_have_body !token large'),
];

/** Where somebody signs in, which is counted by his address. */
export const SIGN_IN = '/auth(?::|%3[aA])sign(?:in|up)(?:/|$)';

/** In a field that is not for tokens, such as `Referer`. */
const TOKEN_ELSEWHERE = String.raw`(?:^|\n)(?!authorization:|cookie:)[^\n]*eyJ`;

/** The token of a request, and the line of its app, which ends as the app's tokens begin. */
export const TOKEN = String.raw`req.fhdr(authorization),concat("\n",txn.line)`;
const OWN_TOKEN = String.raw`^Bearer (?<head>[A-Za-z0-9_-]++)\.[A-Za-z0-9_.-]++\n[^\n]*\|\k<head>$`;

const TOKEN_RULES = [
  `  http-request set-var(txn.token) ${TOKEN}`,
  ...leave('a token that is not the app’s own', 'token !own_token'),
  ...leave('what may be a token elsewhere', 'token_in_query', 'token_elsewhere'),
];

const COOKIE_RULES = [
  `  http-request set-var(txn.jar) ${JAR} if with_jar`,
  ...leave('cookies of unknown kinds', 'jar !plain_jar'),
];

/** That the app which is named has this host. */
export const OWN_HOST = (folder: string): string =>
  `host_only,lower,map_str(${folder}/${MAPS.hosts}),strcmp(txn.name) eq 0`;

/** Paths of the pages behind a sign-in. */
export const innerOf = ({ publicPath, modernPrefix }: RouteSettings): string =>
  `${literal(publicPath)}(?:${literal(modernPrefix)}/)?(?:$|(?:admin|mobile|m|x)(?:/|$))`;

/** Pages that the module answers itself, or leads elsewhere. */
function pageRules(folder: string, settings: RouteSettings): string[] {
  const { appsDomain } = settings;
  const byMain = `{ var(txn.line) -m sub |${BY_MAIN}| }`;
  const own = OWN_HOST(folder);
  return [
    `  acl inner path -m reg ${quoted(`^${innerOf(settings)}`)}`,
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
