import { sign, verify } from 'node:crypto';
import { authenticate, decrypt, encrypt, isAuthentic } from './cipher';
import type { EnvironmentKey, Keyring, SupervisorKey } from './keyring';
import type { Refusal, Refusals } from './refusals';

/**
 * Who signs: the Supervisor for all environments (Ed25519), or one environment and the Supervisor for each other
 * (HMAC-SHA-256). No environment can have this name.
 */
export const SUPERVISOR = ':supervisor';

/** `signed1.<key id>.<order>.<signature>.<body>`; the scripts read `order`. */
const FORMAT = 'signed1';
const TEXT = /^signed1\.([0-9a-f]{12})\.(\d{1,16})\.([\w-]{43,86})\./;

/** `sealed1.<key id>.<iv>.<tag>.<text>`: what nobody may read on its way. */
const SEALED = /^sealed1\.([0-9a-f]{12})\.([\w-]{16}\.[\w-]{22}\.[\w-]*)$/;

export interface Opened {
  /** As it was signed. */
  order: number;
  body: string;
}

/**
 * The only way into the stores and onto the bus, and out of them: what leaves is signed, and what comes is believed only if
 * its signature is right for the place where it was found.
 *
 * A signature covers the place (the Redis key with its field, or the channel), so that nothing can be moved to another
 * app, environment or fleet, and an order (generation, epoch, version), by which readers tell old from new.
 */
export class Envelope {
  constructor(
    readonly keyring: Keyring,
    readonly refusals: Refusals,
  ) {}

  /** @throws an error if this process has not the key */
  sign(signer: string, place: string, order: number, body: string): string {
    const key = this.keyOf(signer);
    const text = signedText(place, order, body);
    const signature = key && signatureOf(key, text);
    const whose = signer === SUPERVISOR ? 'the Supervisor' : `environment ${signer}`;
    if (!signature) throw new Error(`This process has not the key of ${whose}.`);
    return `${FORMAT}.${key.id}.${order}.${signature.toString('base64url')}.${body}`;
  }

  /** Null if it is not believed, which is noted. */
  open(signer: string, place: string, text: string): Opened | null {
    const opened = this.check(signer, place, text);
    if (typeof opened !== 'string') return opened;
    this.note(signer, place, opened);
    return null;
  }

  /** What a process cannot check, because it is for others and signed with their key, is no matter. */
  note(signer: string, place: string, refusal: Refusal): void {
    if (this.keyOf(signer) || refusal !== 'key') this.refusals.note(place, refusal);
  }

  /**
   * Encrypts a message to or from an environment, for its place alone.
   * @throws an error if this process has not the key
   */
  encrypt(environment: string, place: string, body: string): string {
    const key = this.keyring.of(environment);
    if (!key) throw new Error(`This process has not the key of environment ${environment}.`);
    return `sealed1.${key.id}.${encrypt(body, key.transport, place)}`;
  }

  /** Null if it is not believed, which is noted. */
  decrypt(environment: string, place: string, text: string): string | null {
    const [, id, sealed] = SEALED.exec(text) ?? [];
    const key = this.keyring.of(environment);
    const body = key && key.id === id ? decrypt(sealed, key.transport, place) : null;
    if (body === null)
      this.refusals.note(place, id ? this.refusalOf(key, id) : isOld(text) ? 'unsigned' : 'unreadable');
    return body;
  }

  /** As `open`, and notes nothing. */
  check(signer: string, place: string, text: string): Opened | Refusal {
    const head = TEXT.exec(text);
    if (!head) return isOld(text) ? 'unsigned' : 'unreadable';
    const [whole, id, digits, signature] = head;
    const [order, body] = [Number(digits), text.slice(whole.length)];
    const key = this.keyOf(signer);
    const given = Buffer.from(signature, 'base64url');
    const isRight = key?.id === id && isSigned(key, signedText(place, order, body), given);
    return isRight ? { order, body } : this.refusalOf(key, id);
  }

  /** Null if it is not what the schema says, which is noted. */
  parse<T>(place: string, text: string, schema: { parse(value: unknown): T }): T | null {
    try {
      return schema.parse(JSON.parse(text));
    } catch (error) {
      this.refusals.note(place, 'unreadable', String(error).slice(0, 300));
      return null;
    }
  }

  private keyOf(signer: string): Key | null {
    return signer === SUPERVISOR ? this.keyring.supervisor : this.keyring.of(signer);
  }

  /** What was written with another key of this fleet was written for another place. */
  private refusalOf(key: Key | null, id: string): Refusal {
    return key && this.keyring.hasMade(id) ? 'forged' : 'key';
  }
}

type Key = EnvironmentKey | SupervisorKey;

function signatureOf(key: Key, text: string): Buffer | null {
  if ('authentication' in key) return authenticate(key.authentication, text);
  return key.privateKey && sign(null, Buffer.from(text), key.privateKey);
}

const isSigned = (key: Key, text: string, signature: Buffer): boolean =>
  'authentication' in key
    ? isAuthentic(key.authentication, text, signature)
    : verify(null, Buffer.from(text), key.publicKey, signature);

/** What a text says that may not be believed; null if it is none of ours. */
export function bodyOf(text: string): string | null {
  const head = TEXT.exec(text);
  return head && text.slice(head[0].length);
}

/** Neither a place nor a number nor a body contains a line break. */
const signedText = (place: string, order: number, body: string): string => `${FORMAT}\n${place}\n${order}\n${body}`;

/** Whether it may be what a release before 0.3.0 wrote: an object in JSON. */
function isOld(text: string): boolean {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}
