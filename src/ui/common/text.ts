/** Marks an English sentence as a translation key where it is not translated on the spot. */
export const key = (text: string): string => text;

/** A sentence and what fills its `{{names}}`. */
export interface Message {
  text: string;
  values?: Record<string, unknown>;
}
