import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { parseAppsDomain } from '../../shared/origins';
import { FRAME_ANCESTORS } from '../../shared/routes';

/** What index.ts, which names every variable, needs to read them: problems in words, and the forms of values. */

export type Env = Record<string, string | undefined>;

/** Reads variables one by one, and collects their problems. */
export class Variables {
  readonly problems: string[] = [];

  constructor(readonly env: Env) {}

  /** @param allowed describes the allowed values */
  read<T>(name: string, schema: z.ZodType<T>, allowed: string, fallback?: T): T {
    const value = this.env[name]?.trim();
    if (!value && fallback !== undefined) return fallback;
    const parsed = schema.safeParse(value || undefined);
    if (parsed.success) return parsed.data;
    this.problems.push(
      `${name} is ${value ? `"${SECRET.has(name) ? '***' : value}"` : 'not set'}; it must be ${allowed}.`,
    );
    return fallback as T;
  }

  whole(name: string, least: number, most: number, fallback: number): number {
    const schema = z.coerce.number().int().min(least).max(most);
    return this.read(name, schema, `a whole number from ${least} to ${most}`, fallback);
  }

  /** False by default. */
  flag(name: string): boolean {
    return this.read(name, z.enum(['true', 'false']), '"true" or "false"', 'false') === 'true';
  }

  /** 32 bytes, or null. `<name>_FILE` may name a file with them, so that they are not in the process's environment. */
  key(name: string): Buffer | null {
    const [digits, file] = [this.env[name]?.trim(), this.env[`${name}_FILE`]?.trim()];
    if (digits && file) this.problems.push(`${name} and ${name}_FILE are both set; set one of them.`);
    const given = file && !digits ? this.contentOf(`${name}_FILE`, file) : digits;
    if (!given) return null;
    if (/^[0-9a-fA-F]{64}$/.test(given)) return Buffer.from(given, 'hex');
    const what = digits ? `${name} is "***"; it` : `The content of ${file} (${name}_FILE)`;
    this.problems.push(`${what} must be 64 hexadecimal digits.`);
    return null;
  }

  private contentOf(name: string, file: string): string {
    try {
      const content = readFileSync(file, 'utf8').trim();
      if (!content) this.problems.push(`${name} is "${file}", and this file is empty.`);
      return content;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      this.problems.push(`${name} is "${file}", and this file cannot be read (${code}).`);
      return '';
    }
  }
}

const SECRET = new Set(['APP_SUPERVISOR_REDIS_URL', 'APP_COMMAND_REDIS_URL']);

/** Parts separated by commas. */
export function list(value: string | undefined, fallback: string[]): string[] {
  const parts = (value ?? '')
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
  return parts.length ? parts : fallback;
}

function addressOf(protocols: string[]) {
  // Not z.url(), which rejects host names such as worker_a in compose files (seed).
  return z.string().refine((value) => {
    try {
      const url = new URL(value);
      return protocols.includes(url.protocol) && url.hostname !== '';
    } catch {
      return false;
    }
  });
}
export const httpUrl = addressOf(['http:', 'https:']).transform((value) => value.replace(/\/+$/, ''));

export const appsDomain = z.string().refine((value) => parseAppsDomain(value) !== null);
export const APPS_DOMAIN_FORM =
  'a domain such as apps.example.com, with scheme and port if needed: https://apps.example.com:8443';

/** Sources of CSP. */
export const frameAncestors = z.string().regex(FRAME_ANCESTORS);
export const FRAME_ANCESTORS_FORM =
  "origins of the pages that may show it in a frame, separated by spaces, such as 'self' https://intranet.example.com; 'none', or * for all";
