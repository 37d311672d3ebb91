import { createCipheriv, createDecipheriv, createHash, createHmac } from 'node:crypto';
import type { AppDatabase } from '../../shared/messages';
import { AppSupervisorError } from '../errors';
import { secretBytes } from '../random';

/**
 * Secrets at rest: `sealed:<key id>:<iv>.<tag>.<ciphertext>` (AES-256-GCM, base64url) once a key is configured, plain
 * text until then (after `plain:` where it looks like either). The key’s id stands beside each secret, so that a wrong
 * key is an error that says so and not garbage.
 */
const PREFIX = 'sealed:';
/** Before a plain text that would otherwise be taken for something else. */
const PLAIN = 'plain:';

/** First 12 hex digits of SHA-256: tells keys apart without telling them. */
export const keyId = (key: Buffer): string => createHash('sha256').update(key).digest('hex').slice(0, 12);

/** A value's fingerprint for comparing two processes' settings; keyed, so that short secrets cannot be looked up. */
export const fingerprint = (value: string): string =>
  createHmac('sha256', 'app-supervisor').update(value).digest('hex').slice(0, 12);

/** 32 random bytes, base64url: an app's own JWT secret. */
export const newSecret = (): string => secretBytes(32).toString('base64url');

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
 * @throws AppSupervisorError KEY_MISSING when it was sealed with another key, or was tampered with.
 */
export function unseal(value: string, key: Buffer | null, app: string): string {
  if (!value.startsWith(PREFIX)) return value.startsWith(PLAIN) ? value.slice(PLAIN.length) : value;
  const [id, body] = value.slice(PREFIX.length).split(':');
  if (!key || keyId(key) !== id) throw new AppSupervisorError('KEY_MISSING', { app, key: id });
  const [iv, tag, text] = (body ?? '').split('.').map((part) => Buffer.from(part, 'base64url'));
  try {
    // Without the length a tag cut to four bytes would do.
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
    decipher.setAuthTag(tag);
    return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8');
  } catch {
    throw new AppSupervisorError('KEY_MISSING', { app, key: id });
  }
}

/** With its password as it may rest. */
export function sealDatabase(database: AppDatabase, aesKey: Buffer | null): AppDatabase {
  return database.password ? { ...database, password: seal(database.password, aesKey) } : database;
}
