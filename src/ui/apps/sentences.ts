import { valuesIn } from '../common/errors';
import { key } from '../common/text';
import type { Translate } from '../host';

/** What the server says of an operation in English (operations/rollout.ts). */
const SENTENCES = [
  key('environment {{environment}} to come back'),
  key('environment {{environment}} to begin'),
  key('sight of the environments'),
  key('Not begun, since an earlier step failed.'),
  key('Away; removed there when it is back.'),
];

/** In the reader's language where the sentence is a known one. */
export function serverSentence(t: Translate, said: string): string {
  for (const sentence of SENTENCES) {
    const values = valuesIn(sentence, said);
    if (values) {
      return t(sentence, values);
    }
  }
  return said;
}
