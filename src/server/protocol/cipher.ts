import { createCipheriv, createDecipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { secretBytes } from '../random';

/**
 * AES-256-GCM.
 * @param bound what the text is for: it can be decrypted for nothing else
 * @returns `<iv>.<tag>.<text>`, each of them base64url
 */
export function encrypt(plain: string, key: Buffer, bound: string, iv = secretBytes(12)): string {
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(bound));
  const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
  return [iv, cipher.getAuthTag(), text].map((part) => part.toString('base64url')).join('.');
}

/** @returns null if the key or `bound` is not the one with which it was made */
export function decrypt(sealed: string, key: Buffer, bound: string): string | null {
  const [iv, tag, text] = sealed.split('.').map((part) => Buffer.from(part, 'base64url'));
  try {
    // Without the length, a tag cut to four bytes would be accepted.
    const decipher = createDecipheriv('aes-256-gcm', key, iv, { authTagLength: 16 });
    decipher.setAAD(Buffer.from(bound)).setAuthTag(tag);
    return Buffer.concat([decipher.update(text), decipher.final()]).toString('utf8');
  } catch {
    return null;
  }
}

export const authenticate = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();

/** Whether a text was authenticated with this key. */
export function isAuthentic(key: Buffer, text: string, given: Buffer): boolean {
  const right = authenticate(key, text);
  return right.length === given.length && timingSafeEqual(right, given);
}
