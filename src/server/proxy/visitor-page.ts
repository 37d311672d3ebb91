import { avatarOf } from '../../shared/avatar';
import { titled, type VisitorLanguage } from '../visitor-texts';
import { ANSWERS, type AnswerCode } from './answers';

/**
 * What a person sees instead of an app that is not available, or of an address that no app has: a pure function, so that it can
 * be written to a file, too. The page needs nothing else from this server and no JavaScript, is light or dark as the
 * browser asks, and loads itself again if waiting helps.
 */
export interface VisitorPage {
  code: AnswerCode;
  language: VisitorLanguage;
  /** Null if the app is not known: then nothing is shown that the visitor has not entered. */
  app?: Face | null;
  /** With which operators find the cause. */
  reference?: string | null;
  /** How many apps start before it. */
  queuedBehind?: number;
  /** The path of the main app, where the visitor is at its host. */
  main?: string | null;
}

/** What a visitor sees of the app. */
export interface Face {
  name: string;
  /** Absent: its name. */
  title?: string;
  /** A picture as a data URI; names of NocoBase's own icons are shown as the title's first letter. */
  icon?: string | null;
}

/** In characters. Larger pictures would make the page larger than 20 kB. */
const MAX_ICON = 14_000;
/** In characters; rows may be older than the limit of titles. */
const MAX_TITLE = 200;

type Texts = Record<VisitorLanguage, string>;

/** What the visitor can do. */
const HINTS: Partial<Record<AnswerCode, Texts>> = {
  APP_STOPPED: {
    en: 'An administrator has stopped it. This page opens it when it has been started again.',
    zh: '该应用已被管理员停止。重新启动后，本页面会自动打开应用。',
  },
  APP_PREPARING: { en: 'This page opens it as soon as it is ready.', zh: '准备就绪后，本页面会自动打开应用。' },
  APP_MOVING: {
    en: 'It comes back by itself, with all its data. This page opens it as soon as it is ready.',
    zh: '应用会自动恢复，数据保持不变。准备就绪后，本页面会自动打开应用。',
  },
  APP_NOT_FOUND: { en: 'Check the address.', zh: '请检查地址。' },
};
const WAIT: Texts = { en: 'This page tries again by itself.', zh: '本页面会自动重试。' };
const ASK: Texts = { en: 'Ask an administrator to check it.', zh: '请联系管理员检查。' };

/** Headlines that differ from what programs are told. */
const HEADLINES: Partial<Record<AnswerCode, Texts>> = {
  APP_MOVING: { en: '%app is being moved', zh: '%app正在迁移' },
  APP_PREPARING: { en: '%app is starting', zh: '%app正在启动' },
  APP_NOT_FOUND: { en: 'There is no app at this address', zh: '此地址没有应用' },
  INVALID_INPUT: { en: 'This link no longer leads to the app', zh: '此链接已失效' },
  BAD_REQUEST: { en: 'This address cannot be understood', zh: '无法识别此地址' },
};

const QUEUE: Texts = { en: 'Apps that start before it: %n', zh: '前面还有 %n 个应用正在启动' };

/** In seconds, for answers that tell programs not to wait, while a person may leave the page open. */
const PATIENCE: Partial<Record<AnswerCode, number>> = { APP_STOPPED: 30, APP_ERROR: 30 };

/** Where the address is what is wrong: the same one leads to the same page. */
const AT_ITS_ADDRESS: ReadonlySet<AnswerCode> = new Set(['APP_NOT_FOUND', 'INVALID_INPUT', 'BAD_REQUEST']);
const RELOAD: Texts = { en: 'Reload', zh: '重新加载' };
const TO_MAIN: Texts = { en: 'Go to the main app', zh: '前往主应用' };
const REFERENCE: Texts = { en: 'Reference', zh: '参考编号' };

const STYLE = `:root{color-scheme:light dark;--text:#1f2329;--soft:#646a73;--back:#f5f6f8;--card:#fff;--line:#e4e6ea;--bar:#1677ff}
@media(prefers-color-scheme:dark){:root{--text:#e8e8e8;--soft:#a0a4aa;--back:#141414;--card:#1f1f1f;--line:#303030;--bar:#3c89e8}}
*{box-sizing:border-box}body{font:16px/1.6 system-ui,sans-serif;color:var(--text);background:var(--back);display:grid;place-content:center;min-height:100vh;margin:0;padding:16px}
main{width:min(440px,calc(100vw - 32px));padding:40px 32px;text-align:center;background:var(--card);border:1px solid var(--line);border-radius:12px;overflow-wrap:anywhere}
.icon{display:grid;place-content:center;width:64px;height:64px;margin:0 auto 20px;border-radius:14px;object-fit:cover;color:#fff;font-size:30px;font-weight:600}
h1{font-size:20px;line-height:1.4;margin:0;text-wrap:balance}p{margin:8px 0 0;color:var(--soft)}nav{display:flex;flex-wrap:wrap;justify-content:center;gap:12px;margin-top:24px}nav a{padding:5px 15px;border:1px solid var(--line);border-radius:8px;color:inherit;text-decoration:none}nav a:hover,nav a:focus-visible{border-color:var(--bar);color:var(--bar)}
small{display:block;margin-top:20px;color:var(--soft)}
.bar{height:4px;margin:24px auto 0;max-width:220px;border-radius:2px;background:var(--line);overflow:hidden}.bar i{display:block;width:40%;height:100%;border-radius:2px;background:var(--bar);animation:go 1.6s ease-in-out infinite}
@keyframes go{from{transform:translateX(-100%)}to{transform:translateX(250%)}}@media(prefers-reduced-motion){.bar i{animation:none;width:100%;opacity:.6}}`;

export function visitorPage({ code, language, app = null, reference, queuedBehind = 0, main }: VisitorPage): string {
  const [, retryAfter, en, zh] = ANSWERS[code];
  const text = HEADLINES[code]?.[language] ?? capitalized(language === 'zh' ? zh : en);
  const headline = text.replace('%app', () => titled(app?.title ?? app?.name ?? '', language));
  const hint = HINTS[code] ?? (retryAfter === null ? ASK : WAIT);
  const wait = retryAfter ?? PATIENCE[code];
  const bar = retryAfter === null ? '' : '<div class="bar"><i></i></div>';
  const queue = queuedBehind > 0 ? `<p>${QUEUE[language].replace('%n', String(queuedBehind))}</p>` : '';
  const links = [
    // Empty: the address of the page itself.
    ...(AT_ITS_ADDRESS.has(code) ? [] : [{ href: '', text: RELOAD[language] }]),
    ...(main ? [{ href: main, text: TO_MAIN[language] }] : []),
  ];
  const note = reference ? `<small>${REFERENCE[language]}: ${escaped(reference)}</small>` : '';
  return frame({
    language,
    app,
    headline: escaped(headline),
    hint: hint[language],
    refresh: wait === undefined ? '' : `<meta http-equiv="refresh" content="${wait}">`,
    rest: bar + queue + linksOf(links) + note,
  });
}

/** A page without anything to wait for, whose texts may contain what people have written. */
export function htmlPage({
  language,
  app,
  headline,
  hint,
  links,
}: {
  language: VisitorLanguage;
  app: Face | null;
  headline: string;
  hint: string;
  links: Link[];
}): string {
  return frame({ language, app, headline: escaped(headline), hint: escaped(hint), refresh: '', rest: linksOf(links) });
}

const linksOf = (links: Link[]): string =>
  links.length === 0
    ? ''
    : `<nav>${links.map(({ href, text }) => `<a href="${escaped(href)}">${escaped(text)}</a>`).join('')}</nav>`;

interface Link {
  href: string;
  text: string;
}

interface Frame {
  language: VisitorLanguage;
  app: Face | null;
  /** This and what follows is HTML. */
  headline: string;
  hint: string;
  refresh: string;
  rest: string;
}

function frame({ language, app, headline, hint, refresh, rest }: Frame): string {
  const name = app && escaped([...(app.title ?? app.name)].slice(0, MAX_TITLE).join(''));
  return `<!doctype html><html lang="${language === 'zh' ? 'zh-CN' : 'en'}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1"><meta name="robots" content="noindex">${refresh}
<title>${name ?? headline}</title><link rel="icon" href="data:,"><style>${STYLE}</style></head>
<body><main>${app ? iconOf(app) : ''}<h1>${headline}</h1><p>${hint}</p>${rest}</main></body></html>`;
}

/** As in the app switcher. */
function iconOf({ name, title = name, icon }: Face): string {
  if (icon?.startsWith('data:image/') && icon.length <= MAX_ICON) {
    return `<img class="icon" alt="" src="${escaped(icon)}">`;
  }
  const { letter, color } = avatarOf({ name, title });
  return `<div class="icon" aria-hidden="true" style="background:${color}">${escaped(letter)}</div>`;
}

const capitalized = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** Titles are written by people. */
export const escaped = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
