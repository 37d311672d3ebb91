import { describe, expect, it } from 'vitest';
import { type DoorPlace, filesOf, unusableOf } from '../../src/server/door/rules';
import { configurationOf } from '../../src/server/door/rules/configuration';
import { changesOf, mapsOf, pairsOf } from '../../src/server/door/rules/maps';
import { quoted } from '../../src/server/door/rules/text';
import { networksOf } from '../../src/server/door/rules/trusted';
import { trustOf } from '../../src/server/proxy';
import { PLACE, routesOf } from '../support/door';

const place: DoorPlace = { ...PLACE, folder: '/door' };
const crm = { uid: 'u1', name: 'crm', hosts: ['crm.test'], environments: ['a', 'b', 'c'] };
/** What the tokens of `u1` begin with: `{"alg":"HS256","typ":"JWT","kid":"u1"}`. */
const HEAD = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6InUxIn0';
const table = (...apps: Parameters<typeof routesOf>[0]) =>
  routesOf(apps, { a: 'http://a:80', b: 'http://b', c: 'http://c' });

type Table = ReturnType<typeof table>;
/** Commands for a HAProxy that runs; another configuration is a reload. */
const stepsBetween = (at: DoorPlace, before: Table, after: Table) =>
  configurationOf(at, before) === configurationOf(at, after)
    ? changesOf(mapsOf(before), mapsOf(after), at.folder)
    : 'reload';

describe('the files of a door', () => {
  it('have an app by name with its first two environments, its hosts, and all that may be pinned', () => {
    const files = filesOf(place, table(crm));
    expect(files['apps.map']).toBe(`crm u1|-|at:a:b|-|${HEAD}\n`);
    expect(files['hosts.map']).toBe('crm.test crm\n');
    expect(files['pins.map']).toBe('crm.a at:a:b\ncrm.b at:b:a\ncrm.c at:c:a\n');
  });

  it('pair no environments of which one has no server, or another path', () => {
    const routes = routesOf([crm], { a: 'http://a/x', b: 'http://b/y', c: 'http://a:99999' });
    expect(filesOf(place, routes)).toMatchObject({
      'apps.map': `crm u1|-|at:a|at:b|${HEAD}\n`,
      'pins.map': 'crm.a at:a\ncrm.b at:b\ncrm.c at:c\n',
    });
    const first = { ...crm, environments: ['c', 'a'] };
    const { environments } = routes;
    // The one that has no server is no reason to send everybody to the other.
    expect(filesOf(place, { ...table(first), environments })['apps.map']).toBe(`crm u1|-|at:c|-|${HEAD}\n`);
  });

  it('pair first what the visitors of an app get who are pinned to none', () => {
    const names = Array.from({ length: 30 }, (_, i) => `e${i}`);
    const both = names.flatMap((first, i) => names.slice(i + 1).map((second) => [first, second]));
    const apps = both.map((environments, i) => ({ uid: `u${i}`, name: `app${i}`, environments }));
    const pairs = pairsOf(routesOf(apps, Object.fromEntries(names.map((name) => [name, `http://${name}`]))));
    expect(both.filter(([first, second]) => !pairs.has(`at:${first}:${second}`))).toEqual([]);
    expect(pairs.size).toBe(500);
  });

  it('leave an app to the module that runs nowhere, and know its name and hosts', () => {
    const files = filesOf(place, table({ ...crm, environments: [] }));
    expect(files).toMatchObject({
      'apps.map': '',
      'pins.map': '',
      'hosts.map': 'crm.test crm\n',
      'names.map': 'crm u1\n',
    });
  });

  it('have no server for an address that none can have, and the others all the same', () => {
    const routes = routesOf([crm], { a: 'http://a:99999', b: 'http://[::1]:8080/below/', c: 'https://c.test' });
    expect(unusableOf(routes.environments)).toEqual(['a']);
    const configuration = filesOf(place, routes)['haproxy.cfg'];
    expect(configuration).not.toContain('backend at:a ');
    expect(configuration).toContain('server b [::1]:8080 ');
    expect(configuration).toMatch(/server c c\.test:443 ssl verify required .* verifyhost c\.test /);
  });
});

it.each(['http://a..b:80', `http://${'a'.repeat(64)}.test`, 'https://10.0.0.7', 'https://[::1]:8443'])(
  'no door has a server for %s',
  (url) => {
    const routes = routesOf([crm], { a: url, b: 'http://b' });
    expect(unusableOf(routes.environments)).toEqual(['a']);
    expect(filesOf(place, routes)['haproxy.cfg']).not.toContain('server a ');
  },
);

it('a Supervisor with HTTPS is checked by HTTPS, and the port of a Worker alone', () => {
  const at = { ...place, supervisors: ['https://supervisor.test'] };
  const configuration = filesOf(at, routesOf([crm], { a: 'https://a.test', b: 'http://b' }))['haproxy.cfg'];
  expect(configuration).toMatch(
    /server supervisor1 .* verifyhost supervisor\.test check-ssl check-sni supervisor\.test /,
  );
  expect(configuration).toMatch(/server a .* verifyhost a\.test no-check-ssl /);
});

it('an address that was found stays while DNS does not know it', () => {
  const configuration = filesOf(place, table(crm))['haproxy.cfg'];
  for (const answer of ['nx', 'refused', 'timeout', 'other']) expect(configuration).toContain(`  hold ${answer} 24d\n`);
});

it.each([
  [':80', true, ':80,:::80 v6only'],
  ['*:80', true, ':80,:::80 v6only'],
  [':80', false, ':80'],
  ['127.0.0.1:80', true, '127.0.0.1:80'],
  ['[::1]:80', true, '[::1]:80'],
])('listens at %s, where there is IPv6 (%s)', (address, hasIPv6, bound) => {
  const listeners = [{ address, certificates: null, proxyProtocol: false, redirects: false }];
  const configuration = filesOf({ ...place, listeners, metrics: address, hasIPv6 }, table(crm))['haproxy.cfg'];
  expect(configuration).toContain(`  bind ${bound} tcp-ut`);
  expect(configuration).toContain(`frontend metrics from common\n  bind ${bound}\n`);
});

describe('the steps between two tables', () => {
  it('are one command for each line that differs', () => {
    const other = { uid: 'u2', name: 'shop', hosts: ['shop.test'], environments: ['a'] };
    const alone = { ...crm, environments: ['c'] };
    expect(stepsBetween(place, table(alone, other), table({ ...crm, environments: ['b'] }))).toEqual([
      `set map /door/apps.map crm u1|-|at:b|-|${HEAD}`,
      'add map /door/pins.map crm.b at:b',
      'del map /door/names.map shop',
      'del map /door/pins.map crm.c',
      'del map /door/pins.map shop.a',
      'del map /door/hosts.map shop.test',
      'del map /door/apps.map shop',
    ]);
    expect(stepsBetween(place, table(), table({ ...crm, environments: ['a'] }))).toEqual([
      `add map /door/apps.map crm u1|-|at:a|-|${HEAD}`,
      'add map /door/hosts.map crm.test crm',
      'add map /door/pins.map crm.a at:a',
      'add map /door/names.map crm u1',
    ]);
  });

  it('are a reload if an app comes to two environments that no other has', () => {
    const before = table({ ...crm, environments: ['a', 'b'] });
    expect(stepsBetween(place, before, table({ ...crm, environments: ['c', 'b'] }))).toBe('reload');
    // Whoever is pinned to the second one has had this pair before.
    expect(stepsBetween(place, before, table({ ...crm, environments: ['b', 'a'] }))).not.toBe('reload');
    const second = { uid: 'u2', name: 'shop', environments: ['a', 'b'] };
    expect(stepsBetween(place, before, table({ ...crm, environments: ['a', 'b'] }, second))).not.toBe('reload');
  });

  it('are a reload if environments or settings differ', () => {
    const before = table(crm);
    expect(stepsBetween(place, before, { ...before, environments: new Map() })).toBe('reload');
    expect(stepsBetween(place, before, { ...before, settings: { ...before.settings, wsPath: '/socket' } })).toBe(
      'reload',
    );
  });
});

it('a word of the configuration cannot end early', () => {
  for (const text of ["a'b", 'a\nb', 'a\rb', 'a\0b']) expect(() => quoted(text)).toThrow();
});

it('the networks of trusted proxies are those of the module', () => {
  const entries = [
    'loopback',
    'private',
    'linklocal',
    '203.0.113.7',
    '198.51.100.0/24',
    '2001:db8::/32',
    'nonsense',
    '10.0.0.0/99',
  ];
  expect(networksOf(entries)).not.toContain('nonsense');
  const trusts = trustOf(entries, () => {});
  const blocks = networksOf(entries);
  expect(blocks).toHaveLength(11);
  for (const address of [
    '127.9.9.9',
    '10.1.2.3',
    '172.31.0.1',
    '192.168.1.1',
    '169.254.9.9',
    '203.0.113.7',
    '198.51.100.9',
  ])
    expect(trusts(address)).toBe(true);
  expect(networksOf(['*'])).toEqual(['0.0.0.0/0', '::/0']);
});
