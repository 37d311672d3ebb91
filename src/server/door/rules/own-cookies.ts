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

/** Cookies as browsers send them, of which those of NocoBase are of a known kind, before a line with the app's name. */
const PLAIN = String.raw`^(?=[^\n]{0,8000}\n)(?!;|(?:[^\n]*; )?app_environment=[^\n]*; app_environment=)(?:(?:(?:^|; )(?!nb_|app_environment=)[\x21-\x3a\x3c\x3e-\x7e]++=[^;\n\x00-\x1f\x7f]*+)*+(?:(?:^|; )(?:${'nb_(?:auth_token|authenticator|role|csrf_token)_[A-Za-z0-9_-]++=[^;\\n\\x00-\\x1f\\x7f]*+'}|app_environment=[\w.~-]*+))?+){0,50}+\n`;

/** The cookies of a request, then its app. */
export const JAR = String.raw`req.fhdr(cookie),concat("\n",txn.name)`;

export const cookieConditions = (): string[] => [
  '  acl with_jar req.fhdr(cookie) -m sub nb_ app_environment',
  '  acl jar var(txn.jar) -m found',
  `  acl plain_jar var(txn.jar) -m reg ${quoted(PLAIN)}`,
  `  acl usual_jar var(txn.jar) -m reg ${quoted(USUAL)}`,
];

/** Takes those of main out of a usual jar. To cut out what stands together costs a third of writing the field anew. */
export const withoutMain = (condition: string): string =>
  String.raw`  http-request replace-header Cookie ${quoted(WITHOUT_MAIN)} '\1\2' if ${condition}`;

export const cookiesForApp = (): string[] => [
  withoutMain('jar usual_jar'),
  '  http-request unset-var(txn.jar) if jar usual_jar',
  `  http-request set-var(txn.jar) ${quoted(LEFT)} if jar`,
  '  http-request set-header Cookie %[var(txn.jar)] if jar',
  '  http-request del-header Cookie if jar { var(txn.jar) -m len 0 }',
];
