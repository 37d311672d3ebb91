import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto';
import type { AppDatabase } from '../../shared/messages';
import { AppSupervisorError } from '../errors';
import { secretBytes } from '../random';

/**
 * Stored secrets: `sealed:<key id>:<iv>.<tag>.<ciphertext>` (AES-256-GCM, base64url) once a key is configured, plain
 * text until then (with the prefix `plain:` if it looks like either). Each secret contains the key’s id, so that a
 * wrong key causes a clear error and not garbage.
 */
const PREFIX = 'sealed:';
/** Prefix of a plain text that would otherwise be read as something else. */
const PLAIN = 'plain:';

/** First 12 hex digits of SHA-256: identifies a key without revealing it. */
export const keyId = (key: Buffer): string => createHash('sha256').update(key).digest('hex').slice(0, 12);

/** A value's fingerprint to compare the settings of two processes; keyed, so that short secrets cannot be looked up. */
export const fingerprint = (value: string): string =>
  createHmac('sha256', 'app-supervisor').update(value).digest('hex').slice(0, 12);

/** 32 random bytes, base64url: an app's own JWT secret. */
export const newSecret = (): string => secretBytes(32).toString('base64url');

/** Whether only who has the key can have made it. */
export const isSealed = (value: string): boolean => value.startsWith(PREFIX);

export function seal(plain: string, key: Buffer | null): string {
  if (!key) return plain.startsWith(PREFIX) || plain.startsWith(PLAIN) ? `${PLAIN}${plain}` : plain;
  const iv = secretBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, iv);
  const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
  const parts = [iv, cipher.getAuthTag(), text].map((part) => part.toString('base64url'));
  return `${PREFIX}${keyId(key)}:${parts.join('.')}`;
}

/**
 * @param app named in the error
 * @throws AppSupervisorError KEY_MISSING if it was sealed with another key, or was tampered with
 */
export function unseal(value: string, key: Buffer | null, app: string): string {
  if (!value.startsWith(PREFIX)) return value.startsWith(PLAIN) ? value.slice(PLAIN.length) : value;
  const [id, body] = value.slice(PREFIX.length).split(':');
  if (!key || keyId(key) !== id) throw new AppSupervisorError('KEY_MISSING', { app, key: id });
  const [iv, tag, text] = (body ?? '').split('.').map((part) => Buffer.from(part, 'base64url'));
  try {
    // Without the length, a tag cut to four bytes would be accepted.
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
    decipher.setAuthTag(tag);
    return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8');
  } catch {
    throw new AppSupervisorError('KEY_MISSING', { app, key: id });
  }
}

/** With its password in the form in which it may be stored. */
export function sealDatabase(database: AppDatabase, aesKey: Buffer | null): AppDatabase {
  return database.password ? { ...database, password: seal(database.password, aesKey) } : database;
}
