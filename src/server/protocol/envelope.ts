import { createCipheriv, createDecipheriv, createHmac, sign, timingSafeEqual, verify } from 'node:crypto';
import { secretBytes } from '../random';
import type { Keyring } from './keyring';
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
const SEALED = /^sealed1\.([0-9a-f]{12})\.([\w-]{16})\.([\w-]{22})\.([\w-]*)$/;

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
    const text = signedText(place, order, body);
    const { supervisor } = this.keyring;
    if (signer === SUPERVISOR) {
      if (!supervisor?.privateKey) throw new Error('This process has not the key of the Supervisor.');
      const signature = sign(null, Buffer.from(text), supervisor.privateKey).toString('base64url');
      return `${FORMAT}.${supervisor.id}.${order}.${signature}.${body}`;
    }
    const key = this.keyring.of(signer);
    if (!key) throw new Error(`This process has not the key of environment ${signer}.`);
    return `${FORMAT}.${key.id}.${order}.${authenticate(key.authentication, text).toString('base64url')}.${body}`;
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
    const { keyring } = this;
    const key = signer === SUPERVISOR ? keyring.supervisor : keyring.of(signer);
    if (key || refusal !== 'key') this.refusals.note(place, refusal);
  }

  /**
   * Encrypts a message to or from an environment, for its place alone.
   * @throws an error if this process has not the key
   */
  encrypt(environment: string, place: string, body: string): string {
    const key = this.keyring.of(environment);
    if (!key) throw new Error(`This process has not the key of environment ${environment}.`);
    const iv = secretBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key.transport, iv).setAAD(Buffer.from(place));
    const text = Buffer.concat([cipher.update(body, 'utf8'), cipher.final()]);
    return ['sealed1', key.id, ...[iv, cipher.getAuthTag(), text].map((part) => part.toString('base64url'))].join('.');
  }

  /** Null if it is not believed, which is noted. */
  decrypt(environment: string, place: string, text: string): string | null {
    const body = this.decrypted(environment, place, text);
    if (body.refusal) this.refusals.note(place, body.refusal);
    return body.text ?? null;
  }

  private decrypted(environment: string, place: string, text: string): { text?: string; refusal?: Refusal } {
    const found = SEALED.exec(text);
    if (!found) return { refusal: isOld(text) ? 'unsigned' : 'unreadable' };
    const key = this.keyring.of(environment);
    if (key?.id !== found[1]) return { refusal: this.isMoved(key, found[1]) ? 'forged' : 'key' };
    const [iv, tag, sealed] = found.slice(2).map((part) => Buffer.from(part, 'base64url'));
    try {
      const decipher = createDecipheriv('aes-256-gcm', key.transport, iv, { authTagLength: 16 });
      decipher.setAAD(Buffer.from(place)).setAuthTag(tag);
      return { text: Buffer.concat([decipher.update(sealed), decipher.final()]).toString('utf8') };
    } catch {
      return { refusal: 'forged' };
    }
  }

  /** Whether it was written with another key of this fleet, for another place. */
  private isMoved(key: { id: string } | null, id: string): boolean {
    return key !== null && this.keyring.hasMade(id);
  }

  /** As `open`, and notes nothing. */
  check(signer: string, place: string, text: string): Opened | Refusal {
    const head = TEXT.exec(text);
    if (!head) return isOld(text) ? 'unsigned' : 'unreadable';
    const [whole, id, digits, signature] = head;
    const [order, body] = [Number(digits), text.slice(whole.length)];
    const key = signer === SUPERVISOR ? this.keyring.supervisor : this.keyring.of(signer);
    if (key?.id !== id) return this.isMoved(key, id) ? 'forged' : 'key';
    const given = Buffer.from(signature, 'base64url');
    const signed = signedText(place, order, body);
    const isRight =
      'publicKey' in key
        ? verify(null, Buffer.from(signed), key.publicKey, given)
        : isSame(authenticate(key.authentication, signed), given);
    return isRight ? { order, body } : 'forged';
  }
}

/** What a text says that may not be believed; null if it is none of ours. */
export function bodyOf(text: string): string | null {
  const head = TEXT.exec(text);
  return head && text.slice(head[0].length);
}

/** The order that it says, the same way. */
export function orderOf(text: string): number | null {
  const head = TEXT.exec(text);
  return head && Number(head[2]);
}

/** Neither a place nor a number nor a body contains a line break. */
const signedText = (place: string, order: number, body: string): string => `${FORMAT}\n${place}\n${order}\n${body}`;

const authenticate = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

const isSame = (one: Buffer, other: Buffer): boolean => one.length === other.length && timingSafeEqual(one, other);

/** Whether it may be what a release before 0.3.0 wrote: an object in JSON. */
function isOld(text: string): boolean {
  try {
    const value = JSON.parse(text);
    return typeof value === 'object' && value !== null;
  } catch {
    return false;
  }
}
