import type { RouteSettings } from '../../../shared/routes';
import { HOP_BY_HOP } from './forwarded';
import { JAR, withoutMain } from './own-cookies';
import { type DoorPlace, MAPS, TABLES } from './place';
import { innerOf, LEFT_FIELDS, OWN_HOST, SIGN_IN, TOKEN, targetOf } from './plain';
import { literal, quoted } from './text';

const RARE_FIELDS = `${LEFT_FIELDS}|${HOP_BY_HOP}|upgrade|content-(?:length|encoding)|transfer-encoding|x-app|x-forwarded-[^,]*`;
const ONCE = 'host|cookie|authorization|x-hostname|connection|content-type|x-authenticator';
const USUAL_FIELDS = String.raw`^(?!(?:.*,)?(?:${RARE_FIELDS})(?:,|$)|(?:.*,)?(?<field>${ONCE}),(?:.*,)?\k<field>(?:,|$))`;

/**
 * A call of the API as browsers send it, in a few rules before all others: it names its app in the path, and has no body, no field that
 * forwards it, and no unusual cookie. They are for speed alone: the other rules decide on every other request, and would take these calls in
 * the same way.
 */
export function usualRules({ folder }: DoorPlace, settings: RouteSettings): string[] {
  const { apiBase, appsDomain, bounds } = settings;
  const target = `^(?=${literal(apiBase)}/__app/)(?!.*(?i:${SIGN_IN})|${innerOf(settings)})${targetOf(settings)}`;
  const conditions = [
    'plain_form',
    'plain_method',
    `{ path -m reg ${quoted(target)} }`,
    `{ req.hdr_names -m reg ${quoted(USUAL_FIELDS)} }`,
    'whole',
    '!with_data',
    '!unusual_connection',
    '!token_in_query',
    '!token_elsewhere',
    ...(appsDomain === null ? [] : [`{ req.fhdr(host),${OWN_HOST(folder)} }`]),
  ];
  const isUp = '{ var(txn.at),nbsrv gt 0 }';
  return [
    '  # a usual call of the API, which ends here',
    `  http-request set-var(txn.line) var(txn.name),map_str(${folder}/${MAPS.apps}) if ${conditions.join(' ')}`,
    `  http-request set-var(txn.token) ${TOKEN}`,
    '  http-request set-var(txn.at) var(txn.line),field(3,|) if !token || own_token',
    `  http-request set-var(txn.jar) ${JAR} if { var(txn.at) -m found } with_jar`,
    `  http-request set-var(txn.uid) var(txn.line),field(1,|) if !jar ${isUp} || plain_jar usual_jar ${isUp}`,
    `  http-request track-sc0 var(txn.uid) table ${TABLES.apps}`,
    '  acl counted sc0_tracked',
    withoutMain('counted jar'),
    `  http-request allow if counted !{ sc0_conn_cur gt ${bounds.requestsPerApp} }`,
  ];
}
