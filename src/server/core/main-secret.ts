import { randomBytes } from 'node:crypto';
import {
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import type { Database } from '@nocobase/database';
import type { Application } from '@nocobase/server';
import { messageOf } from '../errors';
import type { Log } from '../log';
import { seal, unseal } from '../protocol/secrets';

/** In bytes, as NocoBase requires. */
const LENGTH = 32;

/**
 * Makes sure that the main app has its own JWT secret, in the file that NocoBase prefers to `APP_KEY`: other processes may have
 * the same `APP_KEY`. An existing file stays, because tokens were signed with it.
 * @throws if it cannot be written
 */
export function ensureMainSecret(file: string): void {
  if (existsSync(file)) return;
  mkdirSync(path.dirname(file), { recursive: true });
  const draft = draftOf(file, randomBytes(LENGTH));
  try {
    appearAs(draft, file);
  } finally {
    rmSync(draft);
  }
}

function draftOf(file: string, secret: Buffer): string {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  writeFileSync(draft, secret, { flag: 'wx', mode: 0o600 });
  return draft;
}

/**
 * Writes the file atomically, and never replaces another one: a process with the same storage may do the same at this
 * moment.
 */
function appearAs(draft: string, file: string): void {
  try {
    linkSync(draft, file);
  } catch {
    // A file system without links.
    if (!existsSync(file)) copyFileSync(draft, file, constants.COPYFILE_EXCL);
  }
}

/**
 * Gives the main app the secret that is stored in its database, so that all Supervisors accept each other's tokens, also those
 * with another storage; the first of them stores that of its file. Called before the main app serves requests. Never rejects.
 * @param atRest seals it; null: it is stored as it is
 */
export async function shareMainSecret(main: Application, file: string, atRest: Buffer | null, log: Log): Promise<void> {
  try {
    const own = readFileSync(file);
    const { options } = main.authManager.jwt as unknown as { options: { secret: string | Buffer } };
    // An operator may have chosen another one, by UNSAFE_USE_DEFAULT_JWT_SECRET.
    if (!Buffer.isBuffer(options.secret) || !options.secret.equals(own)) return;
    const shared = await agreeOn(own, main.db, atRest);
    if (shared.equals(own)) return;
    options.secret = shared;
    // The core reads it again when it builds the main app anew, and in worker threads.
    renameSync(draftOf(file, shared), file);
  } catch (error) {
    log.error(
      `The JWT secret of the main app could not be shared with other Supervisors: ${messageOf(error)}. Where they have another one, users have to sign in again; restart this process.`,
    );
  }
}

/** The secret in the database, which becomes this one if there is none that this fleet's key opens. */
async function agreeOn(own: Buffer, db: Database, atRest: Buffer | null): Promise<Buffer> {
  const rows = db.getModel('appMainSecrets');
  const sealed = seal(own.toString('base64'), atRest);
  // Of several that write at the same time, the first one wins, and the others read what it wrote.
  for (let attempt = 0; attempt < 3; attempt++) {
    const row = await rows.findOne({ where: { id: 1 } });
    const stored = row?.get('secret') as string | undefined;
    const known = stored === undefined ? null : opened(stored, atRest);
    if (known) return known;
    if (stored === undefined) await rows.create({ id: 1, secret: sealed } as never).catch(() => undefined);
    else await rows.update({ secret: sealed }, { where: { id: 1, secret: stored } });
  }
  throw new Error('the table appMainSecrets does not keep it');
}

/** Null if it was sealed with another key, before a new AES key or in another fleet. */
function opened(stored: string, atRest: Buffer | null): Buffer | null {
  try {
    const secret = Buffer.from(unseal(stored, atRest, 'main'), 'base64');
    return secret.length === LENGTH ? secret : null;
  } catch {
    return null;
  }
}
