import type { IncomingMessage } from 'node:http';
import Negotiator from 'negotiator';
import type { Answer } from './answers';

/**
 * The page for people who open an app by its own domain while it is not available. (Below `/apps/<name>/` they get the
 * Supervisor's own page, which shows the error itself: no HTML of an app passes through the proxy there.) The page
 * needs nothing else from this server, and reloads itself if waiting helps.
 */

const TEXTS: Record<string, { en: [string, string]; zh: [string, string] }> = {
  APP_STOPPED: {
    en: ['This app is stopped', 'An administrator has stopped it. Ask them to start it again.'],
    zh: ['应用已停止', '该应用已被管理员停止，请联系管理员重新启动。'],
  },
  APP_PREPARING: {
    en: ['This app is starting', 'This page opens it as soon as it is ready.'],
    zh: ['应用正在启动', '准备就绪后，本页面会自动打开应用。'],
  },
  APP_PROXY_LOOP: {
    en: ['This app is set up wrongly', 'Ask an administrator to check it.'],
    zh: ['应用配置有误', '请联系管理员检查配置。'],
  },
  WAIT: {
    en: ['This app cannot be reached right now', 'This page tries again by itself.'],
    zh: ['应用暂时无法访问', '本页面会自动重试。'],
  },
};

/** @returns the page, or null for a request that does not come from a browser's address bar */
export function pageFor(req: IncomingMessage, path: string, apiBase: string, what: Answer): string | null {
  if (req.method !== 'GET' && req.method !== 'HEAD') return null;
  const accepts = negotiatorOf(req);
  // JSON if the client accepts both, like a program that names neither.
  if (accepts.mediaType(['application/json', 'text/html']) !== 'text/html' || path.startsWith(`${apiBase}/`))
    return null;
  const text = TEXTS[what.code] ?? (what.retryAfter === undefined ? null : TEXTS.WAIT);
  if (!text) return null;
  const language = accepts.language(['en', 'zh']) === 'zh' ? 'zh' : 'en';
  const [title, sentence] = text[language];
  const refresh = what.retryAfter === undefined ? '' : `<meta http-equiv="refresh" content="${what.retryAfter}">`;
  return `<!doctype html><html lang="${language === 'zh' ? 'zh-CN' : 'en'}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">${refresh}<title>${title}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;display:grid;place-content:center;min-height:90vh;margin:0;padding:16px;text-align:center}h1{font-size:22px;margin:0}p{margin:8px 0;opacity:.75}code{font-size:12px;opacity:.5}</style></head>
<body><h1>${title}</h1><p>${sentence}</p><code>${what.code}</code></body></html>`;
}

/** In characters; the header of a browser has about 200. */
const MAX_HEADER_LENGTH = 1_000;

/**
 * Parses only the beginning of a header: with an unclosed quotation mark, Negotiator's time grows with the square of
 * the length.
 */
function negotiatorOf({ headers }: IncomingMessage): Negotiator {
  const begin = (name: 'accept' | 'accept-language') =>
    headers[name] && { [name]: headers[name].slice(0, MAX_HEADER_LENGTH) };
  return new Negotiator({ headers: { ...begin('accept'), ...begin('accept-language') } });
}
