import { type Message, verbatim } from '../../shared/message';
import type { Clock } from '../clock';
import { referenceOf } from '../errors';
import type { Log } from '../log';
import type { AnswerCode } from './answers';

/** Why an app is not available to visitors. None of it comes from a visitor. */
export interface Trouble {
  app: string;
  /** Empty if none was chosen. */
  environment: string;
  code: AnswerCode;
  cause: string;
}

/** Called once for each reference. @param cause for operators */
export type OnTrouble = (app: string, environment: string, reference: string, cause: Message) => void;

const HOUR = 3_600_000;
/** References of one hour. Beyond that, a cause is logged again with the reference that it had. */
const MOST = 1_000;

/**
 * References to causes that visitors do not see. One cause has one reference for an hour, and is logged and recorded
 * once, however many visitors meet it.
 */
export class References {
  readonly #told = new Set<string>();
  #hour = -1;

  constructor(
    private readonly clock: Clock,
    private readonly log: Log,
    private readonly onTrouble: OnTrouble,
  ) {}

  of({ app, environment, code, cause }: Trouble): string {
    const { wall } = this.clock.now();
    const hour = Math.floor(wall / HOUR);
    if (hour !== this.#hour || this.#told.size >= MOST) this.#told.clear();
    this.#hour = hour;
    const text = verbatim(`${code} ${cause}`.trim());
    const reference = referenceOf(`${app} ${environment} ${hour}`, text);
    if (this.#told.has(reference)) return reference;
    this.#told.add(reference);
    this.log.warn(`Visitors of app ${app} are told that it is unavailable, reference ${reference}`, {
      app,
      environment,
      code,
      cause,
      reference,
    });
    this.onTrouble(app, environment, reference, text);
    return reference;
  }
}
