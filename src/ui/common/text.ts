/** Marks an English sentence as a translation key if it is not translated immediately. */
export const key = (text: string): string => text;

/** A sentence and the values of its `{{names}}`. */
export interface Message {
  text: string;
  values?: Record<string, unknown>;
}

/** The name of a language in that language. */
export function languageName(code: string): string {
  try {
    return new Intl.DisplayNames([code], { type: 'language' }).of(code) ?? code;
  } catch {
    return code;
  }
}
