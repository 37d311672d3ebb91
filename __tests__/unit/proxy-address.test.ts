import { beforeEach, describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/server/config';
import { checkInput, createInput, parseInput } from '../../src/server/supervisor/definitions/input';
import { proxyAddressOf } from '../../src/server/supervisor/fleet/proxy-address';
import { httpAddress } from '../../src/shared/http-address';
import { registration } from '../../src/shared/messages';
import { registrationOf } from '../support/fixtures';
import { MemoryFleet, type MemorySupervisor } from '../support/memory-fleet';
import { recordIn } from '../support/records';

/** A Worker says where it is reached, and is believed once somebody else has said so. */

describe('an address', () => {
  it.each([
    ['HTTP://Worker_A:80/', 'http://worker_a'],
    ['http://127.1', 'http://127.0.0.1'],
    ['http://0x7f.1/', 'http://127.0.0.1'],
    ['http://2130706433:80', 'http://127.0.0.1'],
    ['http://[0:0:0:0:0:0:0:1]', 'http://[::1]'],
    ['https://a/b//', 'https://a/b'],
    ['javascript:alert(1)', null],
    ['http://u:p@a', null],
    ['http://a?b', null],
    ['http://a:99999', null],
    ['ftp://a', null],
    ['', null],
  ])('%s is %s', (text, address) => {
    expect(httpAddress(text)).toBe(address);
  });

  it.each(['javascript:alert(1)', 'data:text/html,x', 'ftp://a', 'http://a b', 'http://a\n', '//a', 'http://a">'])(
    'of a registration is not %s: nothing of it is read',
    (address) => {
      const values = registrationOf('env_a');
      expect(registration.safeParse(values).success).toBe(true);
      expect(registration.safeParse({ ...values, url: address }).success).toBe(false);
      expect(registration.safeParse({ ...values, proxyUrl: address }).success).toBe(false);
    },
  );

  it('that 0.1.1 has stored is read', () => {
    const { name, url, proxyUrl, appVersion, plugins, serves, fingerprints, warnings } = registrationOf('env_a');
    const stored = { name, url, proxyUrl, appVersion, plugins, serves, fingerprints, warnings, setsInitialAdmin: true };
    expect(registration.safeParse(stored).data).toMatchObject({ proxyUrl: 'http://env_a:15000', floor: 0 });
  });

  it('that is reported is used once it is confirmed; until then the former one is', () => {
    const at = (reported: string, ...confirmed: string[]) => Object.values(proxyAddressOf(reported, confirmed));
    expect(at('http://a')).toEqual(['', 'http://a']);
    expect(at('http://a/', 'http://A')).toEqual(['http://a', null]);
    expect(at('http://b', 'http://a')).toEqual(['http://a', 'http://b']);
    expect(at('http://b', 'http://a', 'http://b')).toEqual(['http://b', null]);
    expect(at('http://a:99999', 'http://a')).toEqual(['http://a', 'http://a:99999']);
    expect(at('http://127.0.0.1:6379')).toEqual(['', 'http://127.0.0.1:6379']);
    expect(at('')).toEqual(['', null]);
  });
});

describe('APP_SUPERVISOR_ENVIRONMENT_ADDRESSES', () => {
  const SUPERVISOR = {
    APP_MODE: 'supervisor',
    APP_DISCOVERY_ADAPTER: 'remote',
    APP_PROCESS_ADAPTER: 'remote',
    APP_COMMAND_ADAPTER: 'redis',
    APP_SUPERVISOR_REDIS_URL: 'redis://redis',
    APP_COMMAND_REDIS_URL: 'redis://redis',
    APP_SUPERVISOR_AES_SECRET_KEY: 'ab'.repeat(32),
    APP_KEY: 'key',
  };
  const parse = (value?: string) => {
    const env = { ...SUPERVISOR, APP_SUPERVISOR_ENVIRONMENT_ADDRESSES: value };
    const config = parseConfig(env, { command: 'start', isMainThread: true });
    return config.part === 'supervisor' ? Object.fromEntries(config.join.addresses) : null;
  };

  it('names addresses of environments', () => {
    expect(parse()).toEqual({});
    expect(parse(' env_a=http://A/ , env_b = https://b:8443 ,env_a=http://c')).toEqual({
      env_a: ['http://a', 'http://c'],
      env_b: ['https://b:8443'],
    });
  });

  it.each(['env_a', 'env_a=', 'env_a=worker_a', '=http://a', 'a b=http://a', 'env_a=ftp://a', 'env_a=http://a,x'])(
    'is not %s',
    (value) => {
      expect(() => parse(value)).toThrow('it must be names of environments with their proxy addresses');
    },
  );
});

describe('an environment', () => {
  const [FIRST, OTHER] = ['http://env_a:15000', 'http://169.254.169.254'];
  let fleet: MemoryFleet;
  let part: MemorySupervisor['part'];
  const begin = async () => ({ part } = await fleet.supervisor());
  const row = () => part.parts.view.environmentRows().find(({ name }) => name === 'env_a');
  const route = () => part.parts.view.routeEnvironments().find(({ name }) => name === 'env_a');
  const appears = () => fleet.environment('env_a');
  const reports = (proxyUrl: string) => fleet.environment('env_a', { proxyUrl });
  const asked = () => [row()?.proxyUrl, row()?.unconfirmedProxyUrl, row()?.warnings.map(({ code }) => code)];
  const reached = () => [route()?.proxyUrl, route()?.serves, part.parts.environmentCache.addressOf('env_a')];

  beforeEach(async () => {
    fleet = new MemoryFleet();
    fleet.isNamed = false;
    await begin();
  });

  it('that comes by itself is not visited before an operator confirms its address', async () => {
    await appears();
    expect(asked()).toEqual(['', FIRST, ['TO_BE_ADMITTED']]);
    expect(reached()).toEqual(['', false, null]);
    const { environmentCache } = part.parts;
    await expect(environmentCache.admit('env_a', OTHER)).rejects.toMatchObject({ code: 'ADDRESS_DIFFERS' });
    await expect(environmentCache.admit('env_b', OTHER)).rejects.toMatchObject({ code: 'UNKNOWN_ENVIRONMENT' });
    const create = () =>
      part.parts.service.create(
        { ...parseInput(createInput, { name: 'crm', title: 'crm', environments: ['env_a'] }), initialAdmin: null },
        '1',
      );
    await expect(create()).rejects.toMatchObject({ code: 'NOT_ADMITTED', params: { environment: 'env_a' } });
    expect(await environmentCache.admit('env_a', FIRST)).toBe(true);
    expect(environmentCache.isAdmitted('env_a')).toBe(true);
    expect(asked()).toEqual([FIRST, null, []]);
    expect(reached()).toEqual([FIRST, true, FIRST]);
    await expect(environmentCache.admit('env_a', FIRST)).rejects.toMatchObject({ code: 'ADDRESS_DIFFERS' });
    // Another Supervisor goes by the same row.
    await begin();
    expect(reached()).toEqual([FIRST, true, FIRST]);
  });

  it('that was added needs no confirmation in any moment, also before it is stored', async () => {
    await part.parts.environmentCache.expect('env_a', [FIRST]);
    const seen: unknown[] = [];
    part.parts.observer.changes.listen(() => {
      if (row()) seen.push(asked());
    });
    await appears();
    expect(seen).not.toEqual([]);
    for (const each of seen) expect(each).toEqual([FIRST, null, []]);
  });

  describe('that nobody has admitted, and that reports an app', () => {
    beforeEach(async () => {
      await part.parts.environmentCache.expect('env_a', [FIRST]);
      await appears();
      await fleet.environment('env_evil');
    });
    const says = async (values: Parameters<MemoryFleet['says']>[2]) => {
      await fleet.beat('env_evil');
      await fleet.says('env_evil', 'crm', values);
    };

    it('gets no record of its end, and is not waited for', async () => {
      await fleet.runningApp(fleet.supervisors[0], 'crm', ['env_a']);
      await says({ uid: fleet.app('crm').uid });
      await part.parts.service.destroy('crm', 'keep', '1');
      await fleet.run(4_000, 'env_a', 'env_evil');
      expect(await recordIn(fleet.stores.records, 'env_evil', 'crm')).toBeUndefined();
      await fleet.says('env_a', 'crm', { status: 'not_found' });
      await fleet.run(4_000, 'env_a', 'env_evil');
      expect(await recordIn(fleet.stores.records, 'env_a', 'crm')).toMatchObject({ data: 'release' });
      await fleet.says('env_a', 'crm', { status: 'not_found' });
      await fleet.run(4_000, 'env_a', 'env_evil');
      const left = fleet.database.visible('appTombstones').filter(({ endedAt }) => endedAt === null);
      expect([fleet.open, left]).toEqual([[], []]);
    });

    it('decides nothing about a new app', async () => {
      await says({ uid: 'evil', generation: 9_000_000_000_000_000 });
      await fleet.runningApp(fleet.supervisors[0], 'crm', ['env_a']);
      expect(fleet.app('crm').uid).not.toBe('evil');
      expect(fleet.app('crm').generation).toBeLessThan(9_000_000_000_000_000);
    });

    it('keeps no domain from an app', async () => {
      await fleet.environment('env_evil', { url: 'https://shop.example.com' });
      await fleet.environment('env_a', { url: 'https://a.example.com' });
      const create = (cname: string) => {
        const input = parseInput(createInput, { title: cname, cname, environments: ['env_a'] });
        return part.parts.service.create({ ...input, initialAdmin: null }, '1');
      };
      await expect(create('a.example.com')).rejects.toMatchObject({ code: 'DOMAIN_OF_WORKER' });
      await create('shop.example.com');
    });

    it('is sent no password for a check of a database', async () => {
      let asked = 0;
      fleet.answer = async () => ++asked;
      const server = { dialect: 'postgres', host: 'db', port: 5432, username: 'crm', database: 'crm' };
      const entered = { dbConnType: 'new_connection', database: { ...server, password: 'entered' } };
      const input = parseInput(checkInput, { environment: 'env_evil', ...entered });
      await expect(part.parts.requests.checkDatabase(input)).rejects.toMatchObject({ code: 'NOT_ADMITTED' });
      expect(asked).toBe(0);
    });
  });

  it('that reports an app with a generation that cannot be one does not decide that of its adoption', async () => {
    await part.parts.environmentCache.expect('env_a', [FIRST]);
    await appears();
    await fleet.says('env_a', 'crm', { uid: 'former', generation: 9_000_000_000_000_000 });
    const input = parseInput(createInput, { name: 'crm', title: 'crm', environments: ['env_a'] });
    await part.parts.service.create({ ...input, initialAdmin: null }, '1', 'adopt');
    expect(fleet.app('crm')).toMatchObject({ uid: 'former' });
    expect(fleet.app('crm').generation).toBeLessThan(9_000_000_000_000_000);
  });

  it('gets what waits for it as soon as somebody admits it', async () => {
    await part.parts.environmentCache.expect('env_a', [FIRST]);
    await appears();
    await fleet.runningApp(fleet.supervisors[0], 'crm', ['env_a']);
    const [stored] = fleet.database.visible('appEnvironments');
    fleet.database.tables.get('appEnvironments')!.rows.set('env_a', { ...stored, proxyUrls: [] } as never);
    await part.parts.environmentCache.load();
    await part.parts.service.command('crm', 'stop', '1');
    await fleet.run(4_000, 'env_a');
    expect(await recordIn(fleet.stores.records, 'env_a', 'crm')).toMatchObject({ desired: 'onDemand' });
    await part.parts.environmentCache.admit('env_a', FIRST);
    await fleet.clock.run(1_000);
    expect(await recordIn(fleet.stores.records, 'env_a', 'crm')).toMatchObject({ desired: 'stopped' });
  });

  describe('with a second Supervisor', () => {
    const settings = () => {
      const [{ cordoned, proxyUrls }] = fleet.database.visible('appEnvironments');
      return { cordoned, proxyUrls };
    };

    it('that admits or cordons it tells the one that leads', async () => {
      await appears();
      const { part: other } = await fleet.supervisor();
      await other.parts.environmentCache.admit('env_a', FIRST);
      await fleet.clock.run(10);
      expect(reached()).toEqual([FIRST, true, FIRST]);
      await other.parts.environmentCache.change('env_a', { cordoned: true });
      await fleet.clock.run(10);
      expect(part.parts.environmentCache.get('env_a')).toMatchObject({ cordoned: true });
      await other.parts.environmentCache.expect('env_b', [OTHER]);
      await fleet.environment('env_b', { proxyUrl: OTHER });
      expect(part.parts.environmentCache.addressOf('env_b')).toBe(OTHER);
    });

    type Cache = MemorySupervisor['part']['parts']['environmentCache'];
    const changes = {
      admitted: (cache: Cache) => cache.admit('env_a', FIRST),
      cordoned: (cache: Cache) => cache.change('env_a', { cordoned: true }),
    };
    it.each([
      ['admitted', 'is not'],
      ['admitted', 'is'],
      ['cordoned', 'is not'],
      ['cordoned', 'is'],
    ] as const)('is not %s by one that has not heard that it was forgotten, and %s back', async (change, back) => {
      await appears();
      await fleet.clock.run(20_000);
      const deaf = await fleet.supervisor();
      deaf.isDeaf = true;
      const forgotten = part.forget('env_a');
      await fleet.clock.run(6_000);
      await forgotten;
      if (back === 'is') await fleet.environment('env_a', { floor: fleet.clock.now().wall });
      const changed = changes[change](deaf.part.parts.environmentCache);
      await expect(changed).rejects.toMatchObject({ code: 'UNKNOWN_ENVIRONMENT' });
      expect(settings()).toEqual({ cordoned: false, proxyUrls: [] });
    });
  });

  it('is not admitted at what is no address', async () => {
    await reports('http://a:99999');
    const admitted = part.parts.environmentCache.admit('env_a', 'http://a:99999');
    await expect(admitted).rejects.toMatchObject({ code: 'ADDRESS_DIFFERS' });
    expect(asked().slice(0, 2)).toEqual(['', 'http://a:99999']);
  });

  it('is reached where it was until another address is confirmed', async () => {
    await part.parts.environmentCache.expect('env_a', [FIRST]);
    await appears();
    expect(asked()).toEqual([FIRST, null, []]);
    await reports(OTHER);
    expect(asked()).toEqual([FIRST, OTHER, ['PROXY_ADDRESS_CHANGED']]);
    expect(reached()).toEqual([FIRST, true, FIRST]);
    await reports(FIRST);
    expect(asked()).toEqual([FIRST, null, []]);
    await reports(OTHER);
    expect(await part.parts.environmentCache.admit('env_a', OTHER)).toBe(false);
    expect(reached()).toEqual([OTHER, true, OTHER]);
    await reports(FIRST);
    expect(reached()).toEqual([OTHER, true, OTHER]);
  });

  it('that was forgotten is asked about when it comes back', async () => {
    await part.parts.environmentCache.expect('env_a', [FIRST]);
    await appears();
    await fleet.clock.run(60_000);
    const forgotten = part.forget('env_a');
    await fleet.run(4_000);
    await forgotten;
    await fleet.environment('env_a', { floor: fleet.clock.now().wall });
    await fleet.run(40_000, 'env_a');
    expect(fleet.database.visible('appEnvironments')).toMatchObject([
      { registration: { name: 'env_a' }, proxyUrls: [] },
    ]);
    expect(part.parts.environmentCache.get('env_a')).toBeDefined();
    expect(asked().slice(0, 2)).toEqual(['', FIRST]);
  });

  it('that an older release has stored is reached where that did', async () => {
    await appears();
    const [stored] = fleet.database.visible('appEnvironments');
    const { proxyUrls: _, ...former } = stored;
    fleet.database.tables.get('appEnvironments')!.rows.set('env_a', former as never);
    await begin();
    expect(reached()).toEqual([FIRST, true, FIRST]);
    await reports(OTHER);
    expect(reached()).toEqual([FIRST, true, FIRST]);
    await begin();
    expect(reached()).toEqual([FIRST, true, FIRST]);
  });

  it('that variables of the Supervisor name needs nobody, also when they do not name it any more', async () => {
    fleet.isNamed = true;
    await appears();
    expect(asked()).toEqual([FIRST, null, []]);
    await reports(OTHER);
    expect(reached()).toEqual([FIRST, true, FIRST]);
    fleet.isNamed = false;
    await begin();
    expect(reached()).toEqual([FIRST, true, FIRST]);
  });

  it('that variables name after it came is admitted by them', async () => {
    await appears();
    fleet.isNamed = true;
    await begin();
    expect(asked()).toEqual([FIRST, null, []]);
    await fleet.run(40_000, 'env_a');
    expect(fleet.database.visible('appEnvironments')).toMatchObject([{ proxyUrls: [FIRST] }]);
  });
});
