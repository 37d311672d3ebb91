import type { IncomingHttpHeaders } from 'node:http';
import Negotiator from 'negotiator';

/**
 * What visitors are told of an app that is not available: its title, in their language, and a reference with which
 * operators find the cause in the log and in the events.
 */

export type VisitorLanguage = 'en' | 'zh';

/** In characters; the header of a browser has about 200. */
const MAX_HEADER_LENGTH = 1_000;

/** The language that the page names (NocoBase's clients send `X-Locale`), or else the browser. */
export function languageOf(headers: IncomingHttpHeaders): VisitorLanguage {
  const locale = headers['x-locale'];
  if (typeof locale === 'string' && locale !== '') return /^zh\b/i.test(locale) ? 'zh' : 'en';
  return negotiatorOf(headers).language(['en', 'zh']) === 'zh' ? 'zh' : 'en';
}

/**
 * Parses only the beginning of a header: with an unclosed quotation mark, Negotiator's time grows with the square of
 * the length.
 */
export function negotiatorOf(headers: IncomingHttpHeaders): Negotiator {
  const begin = (name: 'accept' | 'accept-language') =>
    headers[name] && { [name]: headers[name].slice(0, MAX_HEADER_LENGTH) };
  return new Negotiator({ headers: { ...begin('accept'), ...begin('accept-language') } });
}

/** The app as part of a sentence; an app without a name is one that was not found. */
export function titled(title: string, language: VisitorLanguage): string {
  if (language === 'zh') return title ? `“${title}”` : '该应用';
  return title ? `"${title}"` : 'The app';
}

export const withReference = (text: string, reference: string | null, language: VisitorLanguage): string => {
  if (reference === null) return text;
  return language === 'zh' ? `${text}。参考编号：${reference}` : `${text}. Reference: ${reference}`;
};

/** The text for an app that has failed. */
export const unavailable = (title: string, reference: string, language: VisitorLanguage): string =>
  withReference(titled(title, language) + (language === 'zh' ? '不可用' : ' is unavailable'), reference, language);
