import english from '../../src/locale/en-US.json';
import chinese from '../../src/locale/zh-CN.json';
import { DIALECT_NAMES } from '../../src/shared/dialects';

/** What antd says in no other language. */
const OF_ANTD = ['Select all', 'Close'];

const PLACEHOLDER = /\{\{\w+\}\}/g;
/** Not units such as `MB`, nor abbreviations such as `JWT`. */
const WORD = /[A-Za-z][a-z]{2,}/g;

/** Where a Worker can be started. */
const PRODUCTS = ['Docker', 'Compose', 'Kubernetes', 'Shell'];

/** The words that are the same in both languages: those in Chinese texts, such as `Worker`, and names. */
const COMMON_WORDS = new Set([
  ...Object.values(chinese).flatMap((text) => text.replace(PLACEHOLDER, ' ').match(WORD) ?? []),
  ...DIALECT_NAMES,
  ...PRODUCTS,
]);

/** Some messages of the server are a part of another, such as `start` or `{{object}} is {{owner}}`: they tell nothing. */
const SENTENCES = Object.entries(english)
  .filter(([key, text]) =>
    key.startsWith('message.') ? /^[A-Z]/.test(text) : /[a-z]{2}/i.test(text.replace(PLACEHOLDER, '')),
  )
  .map(([, text]) => new RegExp(`^${text.split(PLACEHOLDER).map(escaped).join('.*?')}$`, 's'));

/**
 * Whether a text is English, in the locale file or not.
 *
 * @param data what a page shows as it is in any language: names, titles, texts of libraries
 */
export function isEnglish(text: string, data: string[]): boolean {
  if (!text || OF_ANTD.includes(text) || data.includes(text)) return false;
  if (SENTENCES.some((sentence) => sentence.test(text))) return true;
  const written = withoutData(text, data).match(WORD) ?? [];
  return written.some((word) => !COMMON_WORDS.has(word));
}

/** Without what is no word of a language: data, addresses, and identifiers with `_`, `.`, digits or inner capitals. */
function withoutData(text: string, data: string[]): string {
  const longestFirst = [...data].sort((one, other) => other.length - one.length);
  return longestFirst
    .reduce((rest, known) => rest.replaceAll(known, ' '), text)
    .replace(/\b\w+:\/\/\S+/g, ' ')
    .replace(/[\w.:-]*(?:\w[_@/:]\w|\w\.\w|\d|[a-z][A-Z])[\w.:/-]*/g, ' ');
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
