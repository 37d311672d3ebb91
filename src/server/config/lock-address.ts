import { z } from 'zod';

/** Where the session of the process lock goes, instead of the main database's own host and port. */
export interface LockAddress {
  host: string;
  port?: number;
}

export interface LockSettings {
  /** Absent: the main database's own. */
  lockAddress?: LockAddress;
}

/** What reads variables and collects their problems (index.ts). */
interface Reader {
  read(name: string, schema: z.ZodType<string>, allowed: string, absent: string): string;
  whole(name: string, least: number, most: number, absent: number): number;
}

/** `APP_SUPERVISOR_LOCK_DB_HOST` and `_PORT`: of the database server itself, if the main database is reached through a pooler. */
export function lockAddressOf(variables: Reader): LockSettings {
  const form = z.string().regex(/^[A-Za-z0-9_.:-]{0,253}$/);
  const host = variables.read('APP_SUPERVISOR_LOCK_DB_HOST', form, 'a host name or an IP address', '');
  const port = variables.whole('APP_SUPERVISOR_LOCK_DB_PORT', 0, 65_535, 0);
  return host ? { lockAddress: { host, ...(port ? { port } : {}) } } : {};
}
