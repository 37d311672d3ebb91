import { createHash } from 'node:crypto';
import type { SsoCode, SsoEnd } from '../../../shared/messages';

/**
 * What main apps and Workers exchange to sign users of the main app in to apps. Only a Supervisor writes.
 *
 * - A code is redeemed once, whoever and however many try. It expires by itself.
 * - Of each user the newest end of sign-ins stays, in whatever order ends are written.
 * - Lost content ends no session and forges none: codes on their way are lost, and ends are written again.
 * - Every method rejects if the store cannot be reached.
 */
export interface SsoStore {
  /** @param code secret and new; the store keeps a hash of it. @param lifetime in ms */
  issue(code: string, content: SsoCode, lifetime: number): Promise<void>;
  /** What was issued under this code, which nobody gets again; null if there is nothing, or nothing that is believed. */
  redeem(code: string): Promise<SsoCode | null>;
  writeEnds(ends: SsoEnd[]): Promise<void>;
  /** Changes with every end; empty if there is none. */
  endsVersion(): Promise<string>;
  /** @returns when the sign-ins of these users last ended, in ms since 1970; without those whose never did */
  readEnds(users: string[]): Promise<Map<string, number>>;
}

/** Under which a code is stored: whoever reads the store cannot redeem anything. */
export const hashOfCode = (code: string): string => createHash('sha256').update(code).digest('hex');
