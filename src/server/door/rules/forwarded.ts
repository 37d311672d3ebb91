import { quoted } from './text';

/** Fields that are for one connection alone. */
export const HOP_BY_HOP =
  '(?:te|keep-alive|proxy-connection|proxy-authenticate|proxy-authorization|http2-settings|expect)';

/** How the visitor has come, and whether a trusted proxy says so. */
export const PROTO = '%[ssl_fc,iif(https,http)]';
export const SAYS_PROTO = '{ req.hdr(x-forwarded-proto,1),lower -m str http https }';

/** What a request says of who has forwarded it goes on as the module writes it; most say nothing, and get it from `forwardedAnew`. */
export const forwardedRules = (): string[] => [
  `  acl forwarded req.hdr_names -m reg ${quoted(`(?:^|,)(?:x-forwarded-(?:for|proto|host)|x-app|${HOP_BY_HOP})(?:,|$)`)}`,
  '  http-request set-var(txn.forwarded) bool(true) if forwarded',
  '  acl rare var(txn.forwarded) -m bool',
  `  http-request del-header ${quoted(`^(?:x-app|${HOP_BY_HOP})$`)} -m reg if rare`,
  '  acl is_named req.fhdr(x-forwarded-for),length gt 0',
  '  http-request set-header X-Forwarded-For "%[req.fhdr(x-forwarded-for)], %[src]" if rare is_named',
  '  http-request del-header X-Forwarded-For if rare !is_named',
  '  http-request set-header X-Forwarded-Host %[req.hdr(x-forwarded-host,1)] if rare { req.fhdr(x-forwarded-host) -m sub , }',
  `  http-request set-header X-Forwarded-Proto ${PROTO} if rare !${SAYS_PROTO}`,
  '  http-request set-header X-Forwarded-Host %[req.fhdr(host)] if rare !{ req.fhdr(x-forwarded-host) -m len 1: }',
  '  http-request set-header X-Forwarded-Proto %[req.hdr(x-forwarded-proto,1),lower] if rare !{ req.fhdr(x-forwarded-proto) -m str http https }',
  '  http-request set-var(txn.host) req.fhdr(x-forwarded-host) if rare',
];

/** The same for requests that say nothing: in the backends, where most come without having passed `forwardedRules`. */
export const forwardedAnew = (): string[] => [
  '  acl rare var(txn.forwarded) -m bool',
  '  option forwardfor if-none',
  '  http-request set-var(txn.host) req.fhdr(host) if !rare',
  `  http-request add-header X-Forwarded-Proto ${PROTO} if !rare`,
  '  http-request add-header X-Forwarded-Host %[var(txn.host)] if !rare',
];
