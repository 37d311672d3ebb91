import { scrypt } from 'node:crypto';
import { promisify } from 'node:util';
import { type Message, say } from '../../shared/message';
import type { AdminPassword, InitialAdmin } from '../../shared/messages';
import { DEFAULT_USERNAME } from '../../shared/names';
import type { CreatedApp } from '../../shared/types';
import { secretBytes, secretInt } from '../random';
import { seal } from './secrets';

/** The first administrator of a new app with the plain-text password; exists in one answer only. */
export type Administrator = CreatedApp['initialAdmin'];

/** The user who creates the app; an account of an API key may have neither name nor address. */
export interface Caller {
  username?: string | null;
  email?: string | null;
}

/** NocoBase's own default (plugin-users, `getInstallingData`). */
export const DEFAULT_PASSWORD = 'admin123';
/** Without characters that look alike. */
const ALPHABET = 'ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz23456789';
const PASSWORD_LENGTH = 20;

/** The given values, completed with the caller's own and a random password. */
export const administratorOf = (given: Partial<Administrator> | undefined, caller: Caller): Administrator => ({
  username: given?.username ?? (caller.username || DEFAULT_USERNAME),
  email: given?.email ?? (caller.email || null),
  password: given?.password ?? randomPassword(),
});

/** A new password: 20 characters that do not look alike. */
export const randomPassword = (): string =>
  Array.from({ length: PASSWORD_LENGTH }, () => ALPHABET[secretInt(ALPHABET.length)]).join('');

/** In the form in which it may be stored and sent. */
export const sealAdministrator = async (admin: Administrator, aesKey: Buffer | null): Promise<InitialAdmin> => ({
  ...admin,
  password: seal(await hashPassword(admin.password), aesKey),
});

// NocoBase's format (@nocobase/database, password-field): 8 bytes of salt in hex, and a key of 24 bytes in hex derived
// with that text.
const SALT_BYTES = 8;
const KEY_BYTES = 24;
const derive = promisify(scrypt) as (password: string, salt: string, length: number) => Promise<Buffer>;

export async function hashPassword(password: string): Promise<string> {
  const salt = secretBytes(SALT_BYTES).toString('hex');
  return salt + (await derive(password, salt, KEY_BYTES)).toString('hex');
}

export async function isPassword(password: string, hash: string): Promise<boolean> {
  const salt = hash.slice(0, 2 * SALT_BYTES);
  return hash === salt + (await derive(password, salt, KEY_BYTES)).toString('hex');
}

/** The warning about the password of an app's administrator. */
export const appAdminWarning = (app: string, found: AdminPassword): Message =>
  say(found === 'default' ? 'APP_ADMIN_KNOWN' : 'APP_ADMIN_LOCKED', { app });

/** The same for the main app of a Worker, for the fleet's operators. */
export const workerAdminWarning = (environment: string, url: string): Message =>
  say('WORKER_ADMIN_KNOWN', { environment, url });
