import { describe, expect, it } from 'vitest';
import { Quarantine } from '../../src/server/proxy/quarantine';
import type { RouteApp, RouteEnvironment } from '../../src/server/proxy/table';
import { choose, runningIn } from '../../src/shared/choose';
import type { Health, Status } from '../../src/shared/types';
import { HEALTHS, STATUSES } from '../../src/shared/words';

/** One line per environment: `<name> <status|-> <health> [mute]`. */
function fleet(lines: string[], app: Partial<RouteApp> = {}) {
  const environments = new Map<string, RouteEnvironment>();
  const statuses = new Map<string, Status>();
  for (const line of lines) {
    const [name, status, health, mute] = line.split(/\s+/);
    environments.set(name, { name, proxyUrl: `http://${name}`, serves: !mute, health: health as Health });
    if (status !== '-') statuses.set(name, status as Status);
  }
  const route: RouteApp = {
    name: 'app1',
    cname: null,
    desired: 'running',
    environments: [...environments.keys()],
    targetEnvironment: null,
    statuses,
    ...app,
  };
  return { route, environmentOf: (name: string) => environments.get(name), environments };
}

function chosen(lines: string[], options: { asked?: string; app?: Partial<RouteApp>; left?: string[] } = {}) {
  const { route, environmentOf, environments } = fleet(lines, options.app);
  const quarantine = new Quarantine(5_000);
  for (const name of options.left ?? []) quarantine.add(environments.get(name)!, 1_000);
  return choose(route, environmentOf, options.asked ?? null, quarantine, 1_001)?.name ?? null;
}

describe('the environment for a request', () => {
  it.each<[string, string[], Parameters<typeof chosen>[1], string | null]>([
    ['the app has none', [], {}, null],
    ['the only one', ['a running online'], {}, 'a'],
    ['app order', ['a running online', 'b running online'], {}, 'a'],
    ['target before order', ['a running online', 'b running online'], { app: { targetEnvironment: 'b' } }, 'b'],
    [
      'asked before target',
      ['a running online', 'b running online'],
      { asked: 'b', app: { targetEnvironment: 'a' } },
      'b',
    ],
    ['a target that is not assigned', ['a running online'], { app: { targetEnvironment: 'x' } }, 'a'],
    ['asked for what is not assigned', ['a running online'], { asked: 'x' }, 'a'],
    [
      'running before in transition',
      ['a commanding online', 'b running online'],
      { app: { targetEnvironment: 'a' } },
      'b',
    ],
    [
      'in transition before dormant',
      ['a dormant online', 'b preparing online'],
      { app: { targetEnvironment: 'a' } },
      'b',
    ],
    ['waiting is in transition', ['a dormant online', 'b waiting online'], {}, 'b'],
    [
      'running before dormant: one visit wakes no second one',
      ['a dormant online', 'b running online'],
      { app: { targetEnvironment: 'a' } },
      'b',
    ],
    [
      'only dormant ones: the target is woken',
      ['a dormant online', 'b dormant online'],
      { app: { targetEnvironment: 'b' } },
      'b',
    ],
    ['asked for a dormant one: woken, it was wished', ['a running online', 'b dormant online'], { asked: 'b' }, 'b'],
    ['asked for one that restarts, another runs', ['a running online', 'b commanding online'], { asked: 'b' }, 'a'],
    ['asked for one that restarts, no other runs', ['a dormant online', 'b commanding online'], { asked: 'b' }, 'b'],
    ['asked for one that failed', ['a running online', 'b error online'], { asked: 'b' }, 'a'],
    ['dormant before failed', ['a error online', 'b dormant online'], {}, 'b'],
    ['failed is better than nothing', ['a error online'], {}, 'a'],
    ['not reported yet before dormant', ['a dormant online', 'b - online'], {}, 'b'],
    ['asked for one that is down', ['a running online', 'b running down'], { asked: 'b' }, 'a'],
    ['asked for one that is stopping', ['a running online', 'b running stopping'], { asked: 'b' }, 'a'],
    ['suspect after online', ['a running suspect', 'b running online'], { app: { targetEnvironment: 'a' } }, 'b'],
    ['suspect and running before dormant', ['a running suspect', 'b dormant online'], {}, 'a'],
    ['dormant before down', ['a unknown down', 'b dormant online'], {}, 'b'],
    ['stopping before down', ['a running down', 'b running stopping'], {}, 'b'],
    ['health only orders: down is still tried', ['a unknown down'], {}, 'a'],
    [
      'a blind observer changes nothing',
      ['a unknown unknown', 'b unknown unknown'],
      { app: { targetEnvironment: 'b' } },
      'b',
    ],
    ['an outdated Worker before one in transition', ['a preparing online', 'b unknown unknown'], {}, 'b'],
    ['an outdated Worker after one that runs it', ['a unknown unknown', 'b running online'], {}, 'b'],
    ['in transition before not reported yet', ['a - online', 'b preparing online'], {}, 'b'],
    ['a blind observer keeps wishes', ['a unknown unknown', 'b unknown unknown'], { asked: 'b' }, 'b'],
    [
      'one that does not serve',
      ['a running online mute', 'b running online'],
      { app: { targetEnvironment: 'a' } },
      'b',
    ],
    ['asked for one that does not serve', ['a running online', 'b running online mute'], { asked: 'b' }, 'a'],
    ['none serves', ['a running online mute'], {}, null],
    ['left alone', ['a running online', 'b dormant online'], { left: ['a'] }, 'b'],
    ['asked for one that is left alone', ['a running online', 'b running online'], { asked: 'b', left: ['b'] }, 'a'],
    ['all left alone', ['a running online'], { left: ['a'] }, null],
    ['stopped', ['a running online'], { app: { desired: 'stopped' } }, null],
    ['on demand', ['a dormant online'], { app: { desired: 'onDemand' } }, 'a'],
    ['an environment nobody has registered', ['a running online'], { app: { environments: ['gone', 'a'] } }, 'a'],
  ])('%s', (_what, lines, options, expected) => {
    expect(chosen(lines, options)).toBe(expected);
  });

  it('is none that this request has already tried', () => {
    const { route, environmentOf } = fleet(['a running online', 'b dormant online']);
    expect(choose(route, environmentOf, 'a', new Quarantine(1), 0, 'a')?.name).toBe('b');
    expect(choose(route, environmentOf, null, new Quarantine(1), 0, 'b')?.name).toBe('a');
  });
});

describe('quarantine', () => {
  const a: RouteEnvironment = { name: 'a', proxyUrl: 'http://a', serves: true, health: 'online', epoch: 7 };

  it('ends by itself after its time, by the injected clock', () => {
    const quarantine = new Quarantine(5_000);
    expect(quarantine.has(a, 0)).toBe(false);
    quarantine.add(a, 100);
    expect(quarantine.has(a, 100)).toBe(true);
    expect(quarantine.has(a, 5_099)).toBe(true);
    expect(quarantine.has(a, 5_100)).toBe(false);
  });

  it('distinguishes the first refusal from later ones', () => {
    const quarantine = new Quarantine(5_000);
    expect(quarantine.add(a, 0)).toBe(true);
    expect(quarantine.add(a, 1)).toBe(false);
    expect(quarantine.add(a, 6_000)).toBe(true);
  });

  it('does not apply to another address or another holder of the lease', () => {
    const quarantine = new Quarantine(5_000);
    quarantine.add(a, 0);
    expect(quarantine.has({ ...a, health: 'down', epoch: undefined }, 1)).toBe(true);
    expect(quarantine.has({ ...a, proxyUrl: 'http://elsewhere' }, 1)).toBe(false);
    quarantine.add(a, 0);
    expect(quarantine.has({ ...a, epoch: 8 }, 1)).toBe(false);
  });
});

describe('where an app runs, for a door', () => {
  const places = STATUSES.flatMap((status) => HEALTHS.map((health) => `${status} ${health}`));

  it('is where every request would be sent, as long as an environment answers, and nowhere else', () => {
    const wrong: string[] = [];
    for (const one of ['- unknown', 'running online mute', ...places])
      for (const other of places)
        for (const targetEnvironment of [null, 'b']) {
          const lines = [`a ${one}`, `b ${other}`];
          const { route, environmentOf } = fleet(lines, { targetEnvironment });
          const found = runningIn(route, environmentOf);
          const sent = (requested: string | null, except: string | null = null) =>
            choose(route, environmentOf, requested, new Quarantine(1), 0, except)?.name;
          const isRight =
            found.length === 0 ||
            (sent(null) === found[0] &&
              found.every((name) => sent(name) === name) &&
              (found.length < 2 || sent(null, found[0]) === found[1]));
          if (!isRight) wrong.push(`${lines.join(', ')} ${targetEnvironment}: ${found}`);
        }
    expect(wrong).toEqual([]);
  });

  it.each<[string, string[], Partial<RouteApp>, string[]]>([
    [
      'all that run it, the best one first',
      ['a running suspect', 'b running online', 'c stopped online'],
      {},
      ['b', 'a'],
    ],
    ['not where it is about to end', ['a running stopping', 'b preparing online'], {}, []],
    [
      'not where it starts, waits for a visit or has failed',
      ['a preparing online', 'b dormant online', 'c error online'],
      {},
      [],
    ],
    ['where nothing is heard, if nothing else runs it', ['a unknown unknown', 'b dormant online'], {}, ['a']],
    ['not where nothing is heard beside one that runs it', ['a unknown unknown', 'b running online'], {}, ['b']],
    ['not where no requests are served', ['a running online mute'], {}, []],
    ['nowhere once it is to be stopped', ['a running online'], { desired: 'stopped' }, []],
  ])('%s', (_, lines, app, expected) => {
    const { route, environmentOf } = fleet(lines, app);
    expect(runningIn(route, environmentOf)).toEqual(expected);
  });
});
