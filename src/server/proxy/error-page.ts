import type { IncomingMessage } from 'node:http';
import { languageOf, negotiatorOf } from '../visitor-texts';
import type { Answer } from './answers';

/**
 * The page for people who open an app by its own domain while it is not available. (Below `/apps/<name>/` they get the
 * Supervisor's own page, which shows the error itself: no HTML of an app passes through the proxy there.) The page
 * needs nothing else from this server, and reloads itself if waiting helps.
 */

/** What the visitor can do. */
const HINTS: Record<string, { en: string; zh: string }> = {
  APP_STOPPED: {
    en: 'An administrator has stopped it. Ask them to start it again.',
    zh: '该应用已被管理员停止，请联系管理员重新启动。',
  },
  APP_PREPARING: { en: 'This page opens it as soon as it is ready.', zh: '准备就绪后，本页面会自动打开应用。' },
  APP_NOT_FOUND: { en: 'Check the address.', zh: '请检查地址。' },
  WAIT: { en: 'This page tries again by itself.', zh: '本页面会自动重试。' },
  ASK: { en: 'Ask an administrator to check it.', zh: '请联系管理员检查。' },
};

/** @returns the page, or null for a request that does not come from a browser's address bar */
export function pageFor(req: IncomingMessage, path: string, apiBase: string, what: Answer): string | null {
  if (req.method !== 'GET' && req.method !== 'HEAD') return null;
  // JSON if the client accepts both, like a program that names neither.
  const wanted = negotiatorOf(req.headers).mediaType(['application/json', 'text/html']);
  if (wanted !== 'text/html' || path.startsWith(`${apiBase}/`)) return null;
  const hint = HINTS[what.code] ?? (what.retryAfter === undefined ? HINTS.ASK : HINTS.WAIT);
  const language = languageOf(req.headers);
  const title = escaped(what.message);
  const refresh = what.retryAfter === undefined ? '' : `<meta http-equiv="refresh" content="${what.retryAfter}">`;
  return `<!doctype html><html lang="${language === 'zh' ? 'zh-CN' : 'en'}"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">${refresh}<title>${title}</title>
<style>:root{color-scheme:light dark}body{font:16px/1.6 system-ui,sans-serif;display:grid;place-content:center;min-height:90vh;margin:0;padding:16px;text-align:center}h1{font-size:22px;margin:0}p{margin:8px 0;opacity:.75}code{font-size:12px;opacity:.5}</style></head>
<body><h1>${title}</h1><p>${hint[language]}</p><code>${what.code}</code></body></html>`;
}

/** Titles are written by people. */
const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
