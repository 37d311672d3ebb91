import type { Page } from 'playwright-core';
import english from '../../src/locale/en-US.json';
import chinese from '../../src/locale/zh-CN.json';
import { DIALECT_NAMES } from '../../src/shared/dialects';

/** Finds English texts of ours on a page whose language is Chinese. */

/** What can contain texts of ours. */
const PLACES = [
  '.ant-page-header',
  '.ant-card',
  '.ant-dropdown',
  '.ant-popover',
  '.ant-drawer',
  '.ant-modal-wrap',
  '.ant-alert',
  '.ant-result',
  '.ant-message',
];

/** What people read and what screen readers say. */
const ATTRIBUTES = ['aria-label', 'aria-description', 'placeholder', 'title', 'alt'];

/** Who is signed in, and the administrator of the state `app-sign-in`. */
export const USERNAMES = ['nocobase', 'Super Admin', 'ada'];

/** Commands, which have no language. */
const COMMANDS = ['docker run'];

/** What antd says in no other language. */
const OF_ANTD = ['Select all', 'Close', 'Increase Value', 'Decrease Value'];

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
  // A unit of three letters.
  'min',
]);

/** Some messages of the server are a part of another, such as `start` or `{{object}} is {{owner}}`: they tell nothing. */
const SENTENCES = Object.entries(english)
  .filter(([key, text]) =>
    key.startsWith('message.') ? /^[A-Z]/.test(text) : /[a-z]{2}/i.test(text.replace(PLACEHOLDER, '')),
  )
  .map(([, text]) => new RegExp(`^${text.split(PLACEHOLDER).map(escaped).join('.*?')}$`, 's'));

/**
 * Visible texts that are English, whether they are in the locale file or not.
 *
 * @param data what the page shows as it is in any language: names, titles, texts of libraries
 */
export async function englishOn(page: Page, data: string[] = []): Promise<string[]> {
  return (await textsOf(page))
    .filter((text) => isEnglish(text, [...data, ...COMMANDS]))
    .map((text) => `"${text}" is English`);
}

/** @param data as of `englishOn` */
export function isEnglish(text: string, data: string[]): boolean {
  if (!text || OF_ANTD.includes(text) || data.includes(text)) return false;
  if (SENTENCES.some((sentence) => sentence.test(text))) return true;
  const written = withoutData(text, data).match(WORD) ?? [];
  return written.some((word) => !COMMON_WORDS.has(word));
}

/** Without what is no word of a language: addresses, identifiers with `_`, `.`, digits or inner capitals, and data. */
function withoutData(text: string, data: string[]): string {
  const words = text
    .replace(/\b\w+:\/\/\S+/g, ' ')
    .replace(/[\w.:-]*(?:\w[_@/:]\w|\w\.\w|\d|[a-z][A-Z])[\w.:/-]*/g, ' ');
  const longestFirst = [...data].sort((one, other) => other.length - one.length);
  return longestFirst.reduce((rest, known) => rest.replaceAll(known, ' '), words);
}

function textsOf(page: Page): Promise<string[]> {
  return page.evaluate(
    ([places, attributes]) => {
      const found: string[] = [];
      for (const element of document.querySelectorAll<HTMLElement>(places.flatMap((one) => [one, `${one} *`]).join())) {
        if (!element.checkVisibility() || element.closest('pre, code')) continue;
        // antd names its icons in English.
        const isIcon = element.classList.contains('anticon');
        for (const name of attributes) if (!isIcon) found.push(element.getAttribute(name) ?? '');
        for (const node of element.childNodes) {
          if (node.nodeType === Node.TEXT_NODE) found.push(node.textContent ?? '');
        }
      }
      return [...new Set(found.map((text) => text.trim()))];
    },
    [PLACES, ATTRIBUTES],
  );
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
