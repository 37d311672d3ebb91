import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { AppSupervisorError } from '../../src/server/errors';
import type { MessageBus } from '../../src/server/protocol/bus';
import { failed } from '../../src/shared/message';
import { until } from '../support/wait';

/** For a request that is answered at once, unless the machine is starved; in ms. */
const PATIENCE = 60_000;

/** What every implementation of `MessageBus` promises to those who use it; run by unit/bus.test.ts and integration/bus.test.ts. */
export function busSuite(make: () => Promise<MessageBus>): void {
  let bus: MessageBus;

  beforeEach(async () => {
    bus = await make();
  });
  afterEach(() => bus.close());

  describe('wake-ups', () => {
    it('reach whom they are for, with the names they are about', async () => {
      const heard: string[] = [];
      await bus.onNotify('supervisors', (names) => heard.push(`supervisors ${names}`));
      await bus.onNotify({ environment: 'env_a' }, (names) => heard.push(`env_a ${names}`));
      await until('A wake-up', () => {
        if (heard.length === 0) bus.notify({ environment: 'env_a' }, ['crm', 'shop']);
        return heard.length;
      });
      expect(new Set(heard)).toEqual(new Set(['env_a crm,shop']));
      bus.notify({ environment: 'env_b' }, ['crm']);
      bus.notify('supervisors', []);
      await until('The supervisors’', () => heard.includes('supervisors '));
      expect(heard.some((line) => line.startsWith('env_b'))).toBe(false);
    });

    it('never come in the turn of the caller', async () => {
      let heard = false;
      await bus.onNotify('supervisors', () => {
        heard = true;
      });
      bus.notify('supervisors', ['crm']);
      expect(heard).toBe(false);
    });
  });

  describe('requests', () => {
    const failure = async (work: Promise<unknown>): Promise<AppSupervisorError> => {
      const error = await work.then(
        () => null,
        (thrown) => thrown,
      );
      expect(error).toBeInstanceOf(AppSupervisorError);
      return error;
    };

    beforeEach(async () => {
      await bus.serve('env_a', {
        double: async (payload) => ({ twice: 2 * (payload as number) }),
        nothing: async () => undefined,
        fail: async () => {
          throw new Error('No disk.');
        },
        failAtOnce: (() => {
          throw new Error('No disk.');
        }) as never,
        never: () => new Promise(() => undefined),
      });
      // A subscription takes its time.
      await until('The worker', () => bus.request('env_a', 'double', 1, 1_000).catch(() => null));
    });

    it('are answered', async () => {
      expect(await bus.request('env_a', 'double', 21, PATIENCE)).toEqual({ twice: 42 });
      expect(await bus.request('env_a', 'nothing', null, PATIENCE)).toBeUndefined();
      const many = await Promise.all(Array.from({ length: 50 }, (_, i) => bus.request('env_a', 'double', i, PATIENCE)));
      expect(many).toEqual(Array.from({ length: 50 }, (_, i) => ({ twice: 2 * i })));
    });

    it.each(['fail', 'failAtOnce'])('that %s say why', async (method) => {
      const error = await failure(bus.request('env_a', method, null, PATIENCE));
      const params = { environment: 'env_a', cause: failed('No disk.') };
      expect(error).toMatchObject({ code: 'WORKER_FAILED', status: 502, params });
    });

    it.each(['unknown', 'constructor', '__proto__'])('of a method that nobody knows (%s) say so', async (method) => {
      const error = await failure(bus.request('env_a', method, null, PATIENCE));
      const cause = { code: 'UNKNOWN_REQUEST', params: { request: method } };
      expect(error).toMatchObject({ code: 'WORKER_FAILED', params: { environment: 'env_a', cause } });
    });

    it('fail by their deadline, and not before', async () => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      try {
        const failed = failure(bus.request('env_a', 'never', null, 60_000));
        const over = vi.fn();
        void failed.then(over, over);
        // It is on its way when another one behind it was answered.
        await bus.request('env_a', 'double', 1, PATIENCE);
        await vi.advanceTimersByTimeAsync(59_900);
        expect(over).not.toHaveBeenCalled();
        await vi.advanceTimersByTimeAsync(100);
        expect(await failed).toMatchObject({ code: 'WORKER_SILENT', status: 504 });
      } finally {
        vi.useRealTimers();
      }
    });

    it('of Workers are answered by the Supervisor, for environments that it knows', async () => {
      const ask = (environment: string, method: string) => failure(bus.ask(environment, method, { a: 1 }, PATIENCE));
      expect((await failure(bus.ask('env_a', 'double', 1, 200))).code).toBe('SUPERVISOR_SILENT');
      await bus.serveWorkers({
        knows: (environment) => environment.startsWith('env_'),
        answer: (environment, method, payload) => {
          if (method === 'notMine') return null;
          return method === 'echo' ? Promise.resolve({ environment, payload }) : Promise.reject(new Error('No.'));
        },
      });
      const echo = () => bus.ask('env_a', 'echo', { a: 1 }, 1_000).catch(() => null);
      expect(await until('The Supervisor', echo)).toEqual({ environment: 'env_a', payload: { a: 1 } });
      expect(await ask('env_b', 'other')).toMatchObject({
        code: 'SUPERVISOR_REFUSED',
        params: { cause: failed('No.') },
      });
      expect((await failure(bus.ask('env_a', 'notMine', {}, 200))).code).toBe('SUPERVISOR_SILENT');
      expect((await failure(bus.ask('other', 'echo', {}, 200))).code).toBe('SUPERVISOR_SILENT');
    });

    it('are not answered by a process while another one is to do it', async () => {
      let isMine = true;
      await bus.serve('env_b', { who: async () => 'me' }, () => isMine);
      expect(await until('The worker', () => bus.request('env_b', 'who', 1, 1_000).catch(() => null))).toBe('me');
      isMine = false;
      expect((await failure(bus.request('env_b', 'who', 1, 200))).code).toBe('WORKER_SILENT');
    });

    it('to nobody fail', async () => {
      expect((await failure(bus.request('env_b', 'double', 1, 3_600_000))).code).toBe('WORKER_SILENT');
    });
  });
}
