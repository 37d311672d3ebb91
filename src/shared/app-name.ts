import { isAppName } from './names';

/** The identifier of a new app whose request has none. Pages and server import this file. */

/** Longest identifier that is made from a title, before what makes it unique. */
const LONGEST = 30;
/** A title that is cut keeps whole words if they take at least this many letters. */
const WHOLE_WORDS = 12;

/** Latin letters that Unicode takes for no variants of others. */
const LETTERS: Record<string, string> = { ß: 'ss', æ: 'ae', œ: 'oe', ø: 'o', ł: 'l', đ: 'd', ð: 'd', þ: 'th', ı: 'i' };

/** Syllables of these sound alike in most languages, and make none of the words that nobody wants in an address. */
const CONSONANTS = 'bdklmnrtv';
const VOWELS = 'aeiou';
const SYLLABLES = 3;

/** Names that differ only in this are one label below the apps' domain, and hard to tell apart. */
const alike = (name: string): string => name.toLowerCase().replaceAll('_', '-');

/**
 * An identifier that is valid and that no other app has: of the title's Latin letters and digits, with a number where it is
 * taken; if there are none, a short word that can be said.
 *
 * @param taken identifiers that are no longer free, in whatever case
 * @param seed of the word: the same one makes the same word
 */
export function appNameFor(title: string, taken: Iterable<string>, seed: string): string {
  const others = new Set([...taken].map(alike));
  const isFree = (name: string) => isAppName(name) && !others.has(alike(name));
  const slug = slugOf(title);
  for (let attempt = 1; ; attempt++) {
    const name = slug === '' ? wordOf(seed, attempt) : attempt === 1 ? slug : `${slug}-${attempt}`;
    if (isFree(name)) return name;
  }
}

/** Begins with a letter and ends with a letter or digit; empty if the title has no Latin letter. */
function slugOf(title: string): string {
  const slug = title
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .replace(/[ßæœøłđðþı]/g, (letter) => LETTERS[letter])
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+|-$/g, '');
  if (slug.length <= LONGEST) return slug;
  const cut = slug.slice(0, LONGEST + 1);
  const end = cut.lastIndexOf('-');
  return cut.slice(0, end >= WHOLE_WORDS ? end : LONGEST).replace(/-$/, '');
}

function wordOf(seed: string, attempt: number): string {
  const next = numbersFrom(`${seed} ${attempt}`);
  const of = (letters: string) => letters[next() % letters.length];
  // Each tenth attempt makes it longer: a fleet may have all short ones.
  const length = SYLLABLES + Math.floor(attempt / 10);
  return Array.from({ length }, () => of(CONSONANTS) + of(VOWELS)).join('');
}

/** Numbers that look like chance and follow from a text (FNV-1a, then xorshift). */
function numbersFrom(text: string): () => number {
  let state = 0x811c9dc5;
  for (const letter of text) state = Math.imul(state ^ (letter.codePointAt(0) ?? 0), 0x01000193);
  state ||= 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}
