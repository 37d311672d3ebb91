import { describe, expect, it } from 'vitest';
import { pinnedEnvironment, requestedEnvironment, withPin } from '../../src/server/proxy/sticky-environment';

describe('the environment that a visitor requests', () => {
  it.each<[string, Record<string, string>, string | null]>([
    ['nothing', {}, null],
    ['the header', { 'x-app-environment': 'env_b' }, 'env_b'],
    ['the header before the cookie', { 'x-app-environment': 'env_b', cookie: 'app_environment=app1.env_a' }, 'env_b'],
    ['a header that is no name', { 'x-app-environment': '../x', cookie: 'app_environment=app1.env_a' }, 'env_a'],
    ['the cookie', { cookie: 'app_environment=app1.env_a' }, 'env_a'],
    ['the cookie among others', { cookie: 'a=b; app_environment=app2.x~app1.env.a-1; c=d' }, 'env.a-1'],
    ['a cookie that only ends alike', { cookie: 'my_app_environment=app1.env_a' }, null],
    [
      'a value that looks like the cookie',
      { cookie: 'x=1&app_environment=app1.env_a; app_environment=app1.env_b' },
      'env_b',
    ],
    ['another app', { cookie: 'app_environment=app2.env_a' }, null],
    ['an app whose name begins alike', { cookie: 'app_environment=app11.env_a' }, null],
    ['no environment', { cookie: 'app_environment=app1.' }, null],
    ['no app', { cookie: 'app_environment=.env_a' }, null],
    ['rubbish', { cookie: 'app_environment=~~%00..~app1.env_a' }, 'env_a'],
    ['an environment that is no name', { cookie: 'app_environment=app1.-x;' }, null],
  ])('%s', (_what, headers, expected) => {
    expect(requestedEnvironment(headers, 'app1')).toBe(expected);
  });
});

describe('pinning', () => {
  it('adds, moves to the front, replaces and removes', () => {
    expect(withPin(undefined, 'app1', 'a')).toBe('app1.a');
    expect(withPin('app_environment=app1.a', 'app2', 'b')).toBe('app2.b~app1.a');
    expect(withPin('app_environment=app2.b~app1.a', 'app1', 'c')).toBe('app1.c~app2.b');
    expect(withPin('x=y; app_environment=app2.b~app1.a', 'app1', null)).toBe('app2.b');
    expect(withPin('app_environment=app1.a', 'app1', null)).toBe('');
  });

  it('is limited: the sixteen newest are kept', () => {
    let cookie = '';
    for (let i = 0; i < 100; i++) cookie = `app_environment=${withPin(cookie, `app${i}`, 'e'.repeat(64))}`;
    expect(pinnedEnvironment(cookie, 'app99')).toBe('e'.repeat(64));
    expect(pinnedEnvironment(cookie, 'app84')).toBe('e'.repeat(64));
    expect(pinnedEnvironment(cookie, 'app83')).toBeNull();
    expect(cookie.length).toBeLessThan(1_300);
  });

  it('drops entries that it would not have written', () => {
    expect(withPin('app_environment=__proto__.x~app1.a\r\nSet-Cookie: z~main.q', 'app2', 'b')).toBe('app2.b');
  });
});
