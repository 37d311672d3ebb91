import { quoted } from './text';

/**
 * Cookies that a request has for its app: those of main and of other apps below the same host go, and the environment that was asked for
 * (proxy/cookies.ts). Patterns read the jar of the frontend: the cookies, then a line with the app's name. Only groups with a name are
 * remembered in those of conditions.
 */
const KINDS = 'nb_(?:auth_token|authenticator|role|csrf_token)_';
const NOT_OWN = String.raw`(?!(?<owner>[A-Za-z0-9_-]+)=[^\n]*\n\g{-1}$)`;
const FOREIGN = String.raw`(?:app_environment|${KINDS}(?:main|${NOT_OWN}[^=]*))=[^;\n]*`;
const LEFT = String.raw`var(txn.jar),regsub("(?J)^(?:${FOREIGN}(?:; |(?=\n)))+|(?:; ${FOREIGN})+|\n.*","",g)`;

/** Those of main, if any, stand beside each other, and no other app has any. */
const OF_MAIN = `${KINDS}main=[^;]*`;
const MAINS = String.raw`(?:(?:^|; )${KINDS}main=[^;\n]*)`;
const KEPT = String.raw`(?:(?:^|; )(?!app_environment=|${KINDS}(?:main=|${NOT_OWN}))[^;\n]*)`;
const USUAL = String.raw`(?J)^(?:${KEPT}++${MAINS}*+${KEPT}*+|${MAINS}++${KEPT}++)\n`;
const WITHOUT_MAIN = `^(?:(?:${OF_MAIN}; )+|(.*?)(?:; ${OF_MAIN})+(?=;|$))(.*)$`;

export const cookiesForApp = (): string[] => [
  '  acl jar var(txn.jar) -m found',
  // To cut out what stands together costs a third of writing the field anew.
  `  acl usual_jar var(txn.jar) -m reg ${quoted(USUAL)}`,
  String.raw`  http-request replace-header Cookie ${quoted(WITHOUT_MAIN)} '\1\2' if jar usual_jar`,
  '  http-request unset-var(txn.jar) if jar usual_jar',
  `  http-request set-var(txn.jar) ${quoted(LEFT)} if jar`,
  '  http-request set-header Cookie %[var(txn.jar)] if jar',
  '  http-request del-header Cookie if jar { var(txn.jar) -m len 0 }',
];
