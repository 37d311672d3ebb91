import { createHmac } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { passedCookies, passedSetCookie } from '../../src/server/proxy/cookies';
import { holdsTokenOfMain, isTokenOfMain, withoutTokensOfMain } from '../../src/server/proxy/tokens';

const rules = { app: 'crm', isApp: (name: string) => ['crm', 'shop', 'shop_crm', 'b'].includes(name) };

describe('invariant 14: cookies of a visitor', () => {
  it.each<[string, string | null]>([
    ['a=1; theme=dark', 'a=1; theme=dark'],
    ['nb_auth_token_crm=t; a=1', 'nb_auth_token_crm=t; a=1'],
    ['nb_auth_token_main=t', null],
    ['nb_auth_token_main=t; nb_auth_token_crm=u;a=1;  b=2', 'nb_auth_token_crm=u;a=1;  b=2'],
    ['a=1; nb_role_main=root; nb_csrf_token_shop=x; nb_authenticator_shop=basic', 'a=1'],
    // An app whose name ends like this one's, and one that is unknown by now.
    ['nb_auth_token_shop_crm=t; nb_auth_token_gone=t', null],
    ['nb_foo_crm=1; nb_foo_main=2; nb_foo_shop=3; nb_foo_shop_crm=4; nb_theme=5', 'nb_foo_crm=1; nb_theme=5'],
    ['nb_b=1; nb_=2; nb=3', 'nb_=2; nb=3'],
    ['app_environment=crm.env_a; a=1', 'a=1'],
    // Readers differ about spaces and about cookies without names.
    ['\tnb_auth_token_main =t; =nb_auth_token_main=t; a', 'a'],
    ['a="; nb_auth_token_main=t"', 'a="'],
    ['', ''],
  ])('%j reach the app "crm" as %j', (header, passed) => {
    expect(passedCookies(header, rules)).toBe(passed);
  });

  it.each<[string, string | null]>([
    ['a=1; Path=/; HttpOnly', 'a=1; Path=/; HttpOnly'],
    ['nb_auth_token_crm=t; path=/; httponly', 'nb_auth_token_crm=t; path=/; httponly'],
    ['nb_auth_token_main=t; path=/', null],
    ['nb_role_shop=; Max-Age=0', null],
    ['app_environment=shop.env_b; Path=/', null],
    [' =nb_auth_token_main=t', null],
    ['nb_auth_token_main', null],
    ['a=domain; Domain=example.com; Secure', 'a=domain; Secure'],
    ['a=1;DOMAIN =.example.com', 'a=1'],
    ['a=1; domain', 'a=1'],
    ['domain=1; domainx=2', 'domain=1; domainx=2'],
  ])('what the app "crm" sets by %j reaches the visitor as %j', (header, passed) => {
    expect(passedSetCookie(header, rules)).toBe(passed);
  });
});

describe('invariant 14: a token of main', () => {
  const SECRETS = { main: Buffer.alloc(32, 'main'), app: 'app' };
  const encoded = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const token = (secret: string | Buffer, payload: object = { userId: 1 }) => {
    const signed = `${encoded({ alg: 'HS256', typ: 'JWT' })}.${encoded(payload)}`;
    return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
  };
  const isOfMain = (value: string) => isTokenOfMain(value, () => SECRETS.main);
  const main = token(SECRETS.main);

  it('is known by its signature, whether it has expired or not', () => {
    for (const value of [main, `Bearer ${main}`, `bearer   ${main} `, token(SECRETS.main, { exp: 1 })])
      expect(isOfMain(value)).toBe(true);
    for (const value of [
      '',
      'Bearer x',
      token(SECRETS.app),
      `${main.slice(0, -2)}AA`,
      `${main}.x`,
      'eyJ.',
      'Basic YTpi',
    ])
      expect(isOfMain(value)).toBe(false);
    expect(isTokenOfMain(main, () => null)).toBe(false);
    expect(isTokenOfMain(main, () => '')).toBe(false);
  });

  it('is found among other values, however long they are', () => {
    const holds = (value: string) => holdsTokenOfMain(value, () => SECRETS.main);
    const long = 'x'.repeat(5_000);
    for (const value of [main, `Bearer ${main}, Bearer x`, `a, Bearer ${main}`, `Bearer ${main}, ${long}`, `"${main}"`])
      expect(holds(value)).toBe(true);
    expect(holds(`https://a.test/?x=1&token=${main}#y`)).toBe(true);
    for (const value of ['', `Bearer ${token(SECRETS.app)}, Bearer x`, `Bearer ${long}`])
      expect(holds(value)).toBe(false);
  });

  it('is removed from an address, and nothing else', () => {
    const other = token(SECRETS.app);
    const passed = (url: string) => withoutTokensOfMain(url, () => SECRETS.main);
    for (const url of ['/x', `/x?token=${other}&a=%20`, `/${main}`, '/x?eyJ']) expect(passed(url)).toBe(url);
    expect(passed(`/x?token=${main}`)).toBe('/x');
    expect(passed(`/x?token=%65${main.slice(1)}&a=1`)).toBe('/x?a=1');
    expect(passed(`/x?token=Bearer+${main}%2C`)).toBe('/x');
    expect(passed(`/x?a=1&token=${main}&b=%2B&token=${other}`)).toBe(`/x?a=1&b=%2B&token=${other}`);
  });
});
