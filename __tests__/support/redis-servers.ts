import { afterAll, beforeAll, describe, inject } from 'vitest';
import type { Redis } from '../../scripts/fleet';
import { findProgram } from '../../scripts/lib/programs.mjs';
import { startRedis } from '../setup/services';

/** Runs tests on the shared Redis, and on a Valkey where this machine has one. @param define gets the server's address, known once tests run */
export function onRedisAndValkey(define: (url: () => string) => void): void {
  describe('redis', () => define(() => inject('redisUrl')));
  describe.runIf(findProgram('valkey'))('valkey', () => {
    let valkey: Redis;
    beforeAll(async () => {
      valkey = await startRedis({ program: 'valkey' });
    });
    afterAll(() => valkey?.stop());
    define(() => valkey.url);
  });
}
