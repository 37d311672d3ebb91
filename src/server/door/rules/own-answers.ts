import { ANSWERS, type AnswerCode, answer, bodyOf, PAGE_POLICY } from '../../proxy/answers';
import { visitorPage } from '../../proxy/visitor-page';
import type { VisitorLanguage } from '../../visitor-texts';
import type { DoorFiles } from './place';

/**
 * What HAProxy answers by itself, in the words of the module: it knows no title, and has no cause to refer to. A browser gets a page, a
 * program JSON, each in its language.
 */
const OWN = [
  'APP_NOT_FOUND',
  'APP_STOPPED',
  'APP_BUSY',
  'ADDRESS_BUSY',
  'APP_ENVIRONMENT_UNAVAILABLE',
  'APP_PREPARING',
  'UPSTREAM_REFUSED',
  'UPSTREAM_RESET',
  'UPSTREAM_TIMEOUT',
] as const satisfies AnswerCode[];
type OwnCode = (typeof OWN)[number];
const LANGUAGES: readonly VisitorLanguage[] = ['zh', 'en'];

const fileOf = (code: OwnCode, language: VisitorLanguage, kind: 'html' | 'json'): string =>
  `${code.toLowerCase().replaceAll('_', '-')}.${language}.${kind}`;

function headersOf(code: OwnCode): string {
  const [, retryAfter] = ANSWERS[code];
  return `hdr Cache-Control no-store${retryAfter === null ? '' : ` hdr Retry-After ${retryAfter}`}`;
}

/** The bodies, by file. */
export const answerFiles = (): DoorFiles =>
  Object.fromEntries(
    OWN.flatMap((code) =>
      LANGUAGES.flatMap((language) => [
        [fileOf(code, language, 'html'), visitorPage({ code, language })],
        [fileOf(code, language, 'json'), bodyOf(answer(code, '', { language }))],
      ]),
    ),
  );

/** The conditions by which `answering` tells visitors apart: for the section in which it is used. */
export const visitorKinds = (apiBase: string): string[] => [
  `  acl person req.fhdr(accept) -m sub text/html`,
  '  acl by_page method GET HEAD',
  `  acl of_api path_beg ${apiBase}/`,
  '  acl chinese req.fhdr(x-locale) -m beg -i zh',
  '  acl says_locale req.fhdr(x-locale) -m found',
  '  acl prefers_chinese req.fhdr(accept-language) -m beg -i zh',
];

/** The same for programs in one language, where a browser is no matter: `http-request` or `http-response` rule. */
export function jsonAnswer(folder: string, code: OwnCode): string {
  return `return status ${ANSWERS[code][0]} content-type application/json file ${folder}/${fileOf(code, 'en', 'json')} ${headersOf(code)}`;
}

/** What is answered where HAProxy finds out only then that nobody is there: in one language, and for programs or for people. */
export function lateAnswer(folder: string, code: OwnCode, kind: 'html' | 'json'): string {
  const type = kind === 'html' ? '"text/html; charset=utf-8"' : 'application/json';
  return `  http-error status ${ANSWERS[code][0]} content-type ${type} file ${folder}/${fileOf(code, 'en', kind)} ${headersOf(code)}`;
}

/** Rules that answer what meets the condition. */
export function answering(folder: string, code: OwnCode, condition: string): string[] {
  const languages = { zh: ['chinese', '!says_locale prefers_chinese'], en: [''] };
  const rule = (language: VisitorLanguage, kind: 'html' | 'json', more: string) => {
    const type = kind === 'html' ? '"text/html; charset=utf-8"' : 'application/json';
    const headers = [
      headersOf(code),
      ...(kind === 'html' ? [`hdr Content-Security-Policy "${PAGE_POLICY}"`, 'hdr Referrer-Policy no-referrer'] : []),
    ].join(' ');
    return `  http-request return status ${ANSWERS[code][0]} content-type ${type} file ${folder}/${fileOf(code, language, kind)} ${headers} if ${condition} ${more}`.trimEnd();
  };
  return LANGUAGES.flatMap((language) =>
    languages[language].flatMap((which) => [
      rule(language, 'html', `person by_page !of_api ${which}`),
      rule(language, 'json', which),
    ]),
  );
}
