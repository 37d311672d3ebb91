import english from '../../locale/en-US.json';
import type { Translate } from '../host';
import { valuesIn } from './errors';
import { key } from './text';

/** What the server says in English beside its coded errors: of statuses, operations and checks, and as warnings. */
export const SENTENCES = [
  key('environment {{environment}} to come back'),
  key('environment {{environment}} to begin'),
  key('sight of the environments'),
  key('Its turn has not come.'),
  key('Checking its database.'),
  key('Waiting for its turn: {{place}} in the queue.'),
  key('Another environment is starting it; waiting for that to end.'),
  key('An earlier installation was interrupted; beginning it again.'),
  key('The Supervisor cannot see its environments right now.'),
  key('Environment {{environment}} is down.'),
  key('Environment {{environment}} has not answered yet.'),
  key('The environment was forgotten.'),
  key('Not begun, since another step failed.'),
  key('Away; removed there when it is back.'),
  key('Its database keeps the mark of this app.'),
  key('Cancelled.'),
  key('Superseded by a newer {{action}}.'),
  key('It opens WebSockets.'),
  key('It answers (HTTP {{status}}).'),
  key('It answered HTTP {{status}} instead of opening a WebSocket.'),
  key('It did not answer within {{seconds}} s.'),
  key('It cannot be reached: {{cause}}'),
  key('The {{object}} is {{owner}} and cannot become an app.'),
  key('Database "{{database}}" does not exist, and a schema is made inside of one that does.'),
  key('The {{object}} belongs to app "{{app}}" (uid {{uid}}).'),
  key('The {{object}} holds tables that are not those of a NocoBase app.'),
  key('Choose another name.'),
  key('Choose another name; if that app is gone for good: {{sql}}'),
  key(
    'A pooler in front of {{server}} lends connections by the transaction, so no lock can keep the app from being started twice.',
  ),
  key('Set its pool mode to session (pool_mode = session), or connect to the server itself.'),
  key(
    'APP_SUPERVISOR_AES_SECRET_KEY is not set: database passwords and JWT secrets are stored unencrypted. Set it to 64 hexadecimal digits (openssl rand -hex 32), the same on every instance.',
  ),
  key('{{misspelt}} is a misspelling: use APP_COMMAND_ADAPTER.'),
  key(
    'UNSAFE_USE_DEFAULT_JWT_SECRET is true: the main app signs with APP_KEY, and accepts what anybody signs who knows it. Remove that variable.',
  ),
  key(
    'A second process of this environment is running ({{standby}}); it hosts nothing. Give it another ENVIRONMENT_NAME, or stop it.',
  ),
  key(
    'Apps lie here that this Supervisor does not know: {{names}}. They go on as they are. Adopt them under the same names to manage them again.',
  ),
  key(
    'The administrator of app "{{app}}" still has the password "admin123", which everybody knows. Sign in to the app and change it.',
  ),
  key(
    'Nobody can sign in to app "{{app}}" as its administrator: it was installed for a Supervisor of a release before 0.1.1, which named none. Update the Supervisor, delete the app with its data and create it again.',
  ),
  key(
    'The administrator of the main app of environment "{{environment}}" still has the password "admin123", which everybody knows. Sign in at {{url}} and change it.',
  ),
  key(
    'The administrator of this NocoBase still has the password "admin123", which everybody knows. Sign in as that user and change it in the user menu.',
  ),
  key('Another fleet uses the same Redis and APP_SUPERVISOR_KEY_PREFIX: give this one a prefix of its own.'),
];

const ERRORS = Object.entries(english).filter(([name]) => name.startsWith('error.') && name !== 'error.INVALID_INPUT');
const KNOWN = [...SENTENCES.map((sentence) => [sentence, sentence]), ...ERRORS];

/** In the reader's language where the sentence is a known one. */
export function serverSentence(t: Translate, said: string): string {
  for (const [name, sentence] of KNOWN) {
    const values = valuesIn(sentence, said);
    if (values) {
      return t(name, values);
    }
  }
  return said;
}
