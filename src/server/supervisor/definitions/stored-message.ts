import { type Message, verbatim } from '../../../shared/message';
import { message } from '../../../shared/message-schema';

/**
 * A message of a column that is a text. Releases before 0.2.0 stored English sentences there, and a newer release may store what this one does not
 * parse: that is shown unchanged, so that it does not block the others.
 */
export function storedMessage(text: string): Message {
  try {
    return message.parse(JSON.parse(text));
  } catch {
    return verbatim(text);
  }
}
