import type { IncomingMessage } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { isAmbiguous, isLoop, requestHeaders, responseHeaders, upgradeHeaders } from '../../src/server/proxy/headers';
import { type Peer, trustOf } from '../../src/server/proxy/peer';

const TRUSTED: Peer = { address: '127.0.0.1', trusted: true, protocol: 'http' };
const STRANGER: Peer = { address: '203.0.113.9', trusted: false, protocol: 'https' };

const OWN = { cookies: { app: 'app1', isApp: (name: string) => name === 'shop' }, mainSecret: () => null };

function message(headers: Array<[string, string]>, method = 'GET'): IncomingMessage {
  const joined: Record<string, string> = {};
  for (const [name, value] of headers) {
    const key = name.toLowerCase();
    joined[key] = joined[key] === undefined ? value : `${joined[key]}, ${value}`;
  }
  return { method, headers: joined, rawHeaders: headers.flat() } as unknown as IncomingMessage;
}

function sent(headers: Array<[string, string]>, peer = TRUSTED, method = 'GET'): Record<string, string[]> {
  return byName(
    requestHeaders(message(headers, method), { app: 'app1', peer, mark: 'me', host: 'worker:15000', ...OWN }),
  );
}

function byName(list: string[]): Record<string, string[]> {
  const out: Record<string, string[]> = {};
  for (let i = 0; i < list.length; i += 2) out[list[i]] = [...(out[list[i]] ?? []), list[i + 1]];
  return out;
}

describe('headers of a request', () => {
  it('keep order, case and repetition of the visitor’s headers', () => {
    const list = requestHeaders(
      message([
        ['Host', 'apps.test'],
        ['X-Zed', '1'],
        ['accept', 'a'],
        ['X-Zed', '2'],
      ]),
      { app: 'app1', peer: TRUSTED, mark: 'me', host: 'w', ...OWN },
    );
    expect(list.slice(0, 8)).toEqual(['Host', 'apps.test', 'X-Zed', '1', 'accept', 'a', 'X-Zed', '2']);
  });

  it('name the app, whatever the visitor sent', () => {
    expect(
      sent([
        ['Host', 'h'],
        ['X-App', 'other'],
      ])['X-App'],
    ).toEqual(['app1']);
    expect(
      sent([
        ['Host', 'h'],
        ['X-App', 'other'],
      ]),
    ).not.toHaveProperty('x-app');
  });

  it('name the host where the visitor named it, and the worker’s own if there is none', () => {
    expect(sent([]).Host).toEqual(['worker:15000']);
    expect(sent([['Host', '']]).Host).toEqual(['worker:15000']);
    const req = message([
      ['X-A', '1'],
      ['hOST', 'before'],
    ]);
    req.headers.host = 'of-the-target'; // as `readTarget` leaves it
    const list = requestHeaders(req, { app: 'app1', peer: TRUSTED, mark: 'me', host: 'w', ...OWN });
    expect(list.slice(0, 4)).toEqual(['X-A', '1', 'hOST', 'of-the-target']);
  });

  it('lack those of the connection, and those that the visitor assigns to it', () => {
    const out = sent([
      ['Host', 'h'],
      ['Connection', 'keep-alive, X-Secret, X-App, X-Forwarded-For, Host, Authorization'],
      ['Keep-Alive', 'timeout=5'],
      ['Proxy-Connection', 'x'],
      ['TE', 'trailers'],
      ['Upgrade', 'h2c'],
      ['HTTP2-Settings', 'AAA'],
      ['Expect', '100-continue'],
      ['X-Secret', 's'],
      ['Authorization', 'Bearer t'],
    ]);
    expect(Object.keys(out).sort()).toEqual(
      [
        'Authorization',
        'Host',
        'X-App',
        'X-App-Supervisor-Via',
        'X-Forwarded-For',
        'X-Forwarded-Host',
        'X-Forwarded-Proto',
      ].sort(),
    );
    expect(out['X-Forwarded-For']).toEqual(['127.0.0.1']);
  });

  it.each<[string, Array<[string, string]>, Peer, Record<string, string>]>([
    ['nobody before', [['Host', 'h:1']], TRUSTED, { For: '127.0.0.1', Proto: 'http', Host: 'h:1' }],
    [
      'a trusted proxy’s are continued',
      [
        ['Host', 'inner'],
        ['X-Forwarded-For', '198.51.100.7'],
        ['X-Forwarded-Proto', 'https'],
        ['X-Forwarded-Host', 'apps.test'],
      ],
      TRUSTED,
      { For: '198.51.100.7, 127.0.0.1', Proto: 'https', Host: 'apps.test' },
    ],
    [
      'of several the first protocol and host',
      [
        ['Host', 'inner'],
        ['X-Forwarded-Proto', 'https,http'],
        ['X-Forwarded-Host', 'a.test, b.test'],
      ],
      TRUSTED,
      { For: '127.0.0.1', Proto: 'https', Host: 'a.test' },
    ],
    [
      'a protocol that is none',
      [
        ['Host', 'h'],
        ['X-Forwarded-Proto', 'javascript'],
      ],
      TRUSTED,
      { For: '127.0.0.1', Proto: 'http', Host: 'h' },
    ],
    [
      'a stranger’s are replaced',
      [
        ['Host', 'h'],
        ['X-Forwarded-For', '10.0.0.1'],
        ['X-Forwarded-Proto', 'http'],
        ['X-Forwarded-Host', 'evil.test'],
      ],
      STRANGER,
      { For: '203.0.113.9', Proto: 'https', Host: 'h' },
    ],
  ])('X-Forwarded-*: %s', (_what, headers, peer, expected) => {
    const out = sent(headers, peer);
    expect(out['X-Forwarded-For']).toEqual([expected.For]);
    expect(out['X-Forwarded-Proto']).toEqual([expected.Proto]);
    expect(out['X-Forwarded-Host']).toEqual([expected.Host]);
  });

  it('lack every other claim of an untrusted peer about its identity', () => {
    const claims: Array<[string, string]> = [
      ['Forwarded', 'for=1.2.3.4'],
      ['X-Real-IP', '1.2.3.4'],
      ['X-Forwarded-Port', '1'],
      ['X-Forwarded-Prefix', '/x'],
    ];
    const orphan = sent([['Host', 'h'], ...claims], STRANGER);
    const trusted = sent([['Host', 'h'], ...claims], TRUSTED);
    for (const [name] of claims) {
      expect(orphan).not.toHaveProperty(name);
      expect(trusted).toHaveProperty(name);
    }
  });

  it('announce an empty body, so that Node does not announce a chunked one', () => {
    expect(sent([['Host', 'h']], TRUSTED, 'POST')['Content-Length']).toEqual(['0']);
    expect(sent([['Host', 'h']], TRUSTED, 'DELETE')).not.toHaveProperty('Content-Length');
    expect(
      sent(
        [
          ['Host', 'h'],
          ['Transfer-Encoding', 'Chunked'],
          ['Trailer', 'X-T'],
        ],
        TRUSTED,
        'DELETE',
      ),
    ).toMatchObject({
      'Transfer-Encoding': ['chunked'],
      Trailer: ['X-T'],
    });
  });

  it('are the same for upgrades', () => {
    const req = message([
      ['Host', 'h'],
      ['Connection', 'keep-alive, Upgrade, x-secret'],
      ['Upgrade', 'WebSocket'],
      ['Sec-WebSocket-Key', 'k'],
      ['X-Secret', 's'],
      ['X-Forwarded-For', '1.1.1.1'],
      ['X-App', 'other'],
    ]);
    expect(byName(upgradeHeaders(req, { app: 'app1', peer: STRANGER, mark: 'me', host: 'w', ...OWN }))).toEqual({
      Host: ['h'],
      Connection: ['Upgrade'],
      Upgrade: ['websocket'],
      'Sec-WebSocket-Key': ['k'],
      'X-App': ['app1'],
      'X-Forwarded-For': ['203.0.113.9'],
      'X-Forwarded-Proto': ['https'],
      'X-Forwarded-Host': ['h'],
      'X-App-Supervisor-Via': ['me'],
    });
  });
});

describe('headers of an answer', () => {
  it('keep repeated fields, lack the connection’s, and name the environment that answered', () => {
    const list = responseHeaders(
      message([
        ['Set-Cookie', 'a=1'],
        ['Set-Cookie', 'b=2'],
        ['Connection', 'close, X-Hop'],
        ['X-Hop', '1'],
        ['Transfer-Encoding', 'chunked'],
        ['Keep-Alive', 'timeout=5'],
        ['X-App-Environment', 'a lie'],
        ['ETag', 'e'],
      ]),
      'env_a',
      false,
      OWN.cookies,
    );
    expect(list).toEqual(['Set-Cookie', 'a=1', 'Set-Cookie', 'b=2', 'ETag', 'e', 'X-App-Environment', 'env_a']);
  });
});

describe('a request that loops', () => {
  it.each([
    [undefined, false],
    ['other', false],
    ['other,me', true],
    ['me, other', true],
    ['a,b,c,d,e', false],
    ['a,b,c,d,e,f', true],
  ])('%s', (via, expected) => {
    expect(isLoop(via, 'me')).toBe(expected);
  });

  it('is marked by each Supervisor in turn', () => {
    expect(
      sent([
        ['Host', 'h'],
        ['X-App-Supervisor-Via', 'other'],
      ])['X-App-Supervisor-Via'],
    ).toEqual(['other,me']);
  });
});

it('a request with an ambiguous end is detected', () => {
  const ambiguous = (...headers: Array<[string, string]>) => isAmbiguous(message(headers));
  expect(ambiguous(['Content-Length', '3'])).toBe(false);
  expect(ambiguous(['Transfer-Encoding', 'chunked'])).toBe(false);
  expect(ambiguous(['Transfer-Encoding', 'chunked'], ['Content-Length', '3'])).toBe(true);
  expect(ambiguous(['Transfer-Encoding', 'gzip, chunked'])).toBe(true);
  expect(ambiguous(['Transfer-Encoding', 'chunked'], ['Transfer-Encoding', 'identity'])).toBe(true);
  expect(ambiguous(['Host', 'a'], ['Most', 'b'])).toBe(false);
  expect(ambiguous(['Host', 'a'], ['hOST', 'a'])).toBe(true);
});

describe('trusted proxies', () => {
  it.each<[string[], string, boolean]>([
    [['loopback'], '127.0.0.1', true],
    [['loopback'], '127.9.9.9', true],
    [['loopback'], '::1', true],
    [['loopback'], '10.0.0.1', false],
    [['10.1.0.0/16', '2001:db8::/32'], '10.1.255.1', true],
    [['10.1.0.0/16', '2001:db8::/32'], '10.2.0.1', false],
    [['10.1.0.0/16', '2001:db8::/32'], '2001:db8::7', true],
    [['192.0.2.7'], '192.0.2.7', true],
    [['192.0.2.7'], '192.0.2.8', false],
    [['private'], '172.31.0.1', true],
    [['private'], 'fd00::1', true],
    [['linklocal'], 'fe80::1%eth0', true],
    [['0.0.0.0/0'], '203.0.113.9', true],
    [['0.0.0.0/0'], '2001:db8::7', false],
    [['::/0'], '2001:db8::7', true],
    [['::/0'], '203.0.113.9', true],
    [['*'], '8.8.8.8', true],
    [['loopback'], '', false],
    [[], '127.0.0.1', false],
  ])('%j trusts %s: %s', (list, address, expected) => {
    expect(trustOf(list, () => expect.unreachable())(address)).toBe(expected);
  });

  it('report unknown entries and trust nobody for them', () => {
    const refused = vi.fn();
    const trusts = trustOf(['localhost', '10.0.0.0/33', '10.0.0.0/x', '1.2.3'], refused);
    expect(refused.mock.calls.flat()).toEqual(['localhost', '10.0.0.0/33', '10.0.0.0/x', '1.2.3']);
    expect(trusts('10.0.0.1')).toBe(false);
  });
});
