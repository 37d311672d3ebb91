/** A quoted word of HAProxy's configuration, in which nothing has a meaning of its own. */
export function quoted(text: string): string {
  if (/['\0\r\n]/.test(text)) throw new Error(`No word of a configuration: ${JSON.stringify(text)}`);
  return `'${text}'`;
}

/** A text as part of a regular expression. */
export const literal = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/-]/g, (character) => `\\${character}`);
