import type { ShownStatus } from '../../../shared/types';
import { inLanguage } from '../../errors';
import type { AppDefinition } from '../definitions/repository';

/** Languages in which an error is read, and so searched. */
const LANGUAGES = ['en', 'zh'];

const plain = (text: string): string => text.normalize('NFKC').toLowerCase();

/** The words of a search, in any order. */
export const wordsOf = (search: string): string[] => plain(search).split(/\s+/).filter(Boolean);

/**
 * Whether an app has all of these words, each anywhere: in its name, identifier, labels, environments, domain, or in the error that is
 * shown of it.
 * @param words as `wordsOf` makes them
 */
export function isFound(
  words: readonly string[],
  { name, title, labels, environments, cname }: AppDefinition,
  statuses: () => readonly (readonly [string, ShownStatus])[],
): boolean {
  const texts = plain([title, name, cname ?? '', ...environments, ...labels].join('\n'));
  const left = words.filter((word) => !texts.includes(word));
  if (!left.length) return true;
  // Rendered only of what has failed, and is not found by anything else.
  const errors = statuses().flatMap(([, { error }]) => error ?? []);
  if (!errors.length) return false;
  const told = plain(errors.flatMap((error) => LANGUAGES.map((language) => inLanguage(language, error))).join('\n'));
  return left.every((word) => told.includes(word));
}
