import { afterEach, describe, expect, it, vi } from 'vitest';
import { type RoleMaker, setRolePassword } from '../../src/server/databases';
import { dialects } from '../../src/server/databases/dialects';
import type { Session } from '../../src/server/databases/session';

afterEach(() => {
  vi.restoreAllMocks();
});

describe('another password for the role of an app', () => {
  const worker = { dialect: 'postgres' as const, host: 'here', database: 'crm', username: 'worker', password: 'w' };
  const maker: RoleMaker = { worker, role: 'app_crm', password: 'second' };

  /** @param answer what the server answers when the role signs in */
  function server(answer: () => Promise<Session>) {
    const session = { query: async () => [], close: async () => undefined } as unknown as Session;
    vi.spyOn(dialects.postgres, 'connect').mockImplementation(async ({ username }) =>
      username === 'app_crm' ? answer() : session,
    );
    vi.spyOn(dialects.postgres, 'hasSchema').mockResolvedValue(true);
    const make = vi.spyOn(dialects.postgres.roles!, 'make').mockResolvedValue(undefined);
    return { session, made: () => make.mock.calls.length, set: () => setRolePassword(maker, 'new_database', 'crm') };
  }
  const refused = (code: string) => () => Promise.reject(Object.assign(new Error('no'), { code }));

  it('is set where the role does not sign in by it, and not where it does', async () => {
    const first = server(refused('28P01'));
    await first.set();
    expect(first.made()).toBe(1);
    vi.restoreAllMocks();
    const second = server(async () => second.session);
    await second.set();
    expect(second.made()).toBe(0);
  });

  it.each(['53300', '57P03', 'ETIMEDOUT'])('is not taken for set when the sign-in ends with %s', async (code) => {
    const { set, made } = server(refused(code));
    await expect(set()).rejects.toMatchObject({ code: expect.stringMatching(/^DATABASE_/) });
    expect(made()).toBe(0);
  });
});
