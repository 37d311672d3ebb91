/** Which keys the pages listen to wherever the focus is. `KeyboardHelp` says what they do. */

type Pressed = Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'shiftKey' | 'altKey'>;

const isAlone = ({ ctrlKey, metaKey, altKey }: Pressed): boolean => !ctrlKey && !metaKey && !altKey;

/** Whether what is typed there is text. */
function takesText(target: unknown): boolean {
  const { isContentEditable = false, tagName = '' } = (target ?? {}) as Partial<HTMLElement>;
  return isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(tagName);
}

/** Ctrl-K, on a Mac Command-K: the finder, also while text is entered. */
export const asksForFinder = ({ key, ctrlKey, metaKey, shiftKey, altKey }: Pressed): boolean =>
  key === 'k' && (ctrlKey || metaKey) && !shiftKey && !altKey;

/** `?`, with Shift where the keyboard needs it: the help. In a text it is only a character. */
export const asksForHelp = (event: Pressed & { target: unknown }): boolean =>
  event.key === '?' && isAlone(event) && !takesText(event.target);

/** F6, as systems use it: the next part of a window. */
export const asksForNextPart = (event: Pressed): boolean => event.key === 'F6' && isAlone(event);
