import { EventEmitter } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { BOUNDS } from '../../src/server/config/bounds';
import { watchBody } from '../../src/server/proxy/bodies';
import { Occupancy } from '../../src/server/proxy/occupancy';
import { Pace } from '../../src/server/proxy/pace';
import { trustOf, visitorAddress } from '../../src/server/proxy/peer';
import { isSignIn, SignInTurns } from '../../src/server/proxy/request-places';
import { FakeClock } from '../support/clock';

const occupancy = (more: Partial<typeof BOUNDS>) => new Occupancy({ ...BOUNDS, ...more });

describe('places', () => {
  it('of requests are counted for each app, and given back once', () => {
    const places = occupancy({ requestsPerApp: 2 });
    const [first, second] = [places.request('crm'), places.request('crm')];
    expect([places.request('crm'), places.request('constructor')]).toEqual([null, expect.any(Function)]);
    first?.();
    first?.();
    expect(places.request('crm')).not.toBeNull();
    expect(places.request('crm')).toBeNull();
    second?.();
    expect(places.request('crm')).not.toBeNull();
  });

  it('of WebSockets are counted for each app and for each address', () => {
    const places = occupancy({ webSocketsPerApp: 3, webSocketsPerAddress: 1 });
    const first = places.webSocket('crm', '192.0.2.1');
    expect(places.webSocket('crm', '192.0.2.1')).toBe('ADDRESS_BUSY');
    expect(places.webSocket('shop', '192.0.2.1')).toBe('ADDRESS_BUSY');
    // All unknown addresses are one; the refused ones took no place.
    expect([places.webSocket('crm', null), places.webSocket('crm', null)]).toEqual([
      expect.any(Function),
      'ADDRESS_BUSY',
    ]);
    expect(places.webSocket('crm', '192.0.2.2')).toEqual(expect.any(Function));
    expect(places.webSocket('crm', '192.0.2.3')).toBe('APP_BUSY');
    (first as () => void)();
    expect(places.webSocket('crm', '192.0.2.1')).toEqual(expect.any(Function));
  });

  it('of apps that an address wakes are counted for a minute, each app once', () => {
    const places = occupancy({ wakesPerAddress: 2 });
    const wakes = (app: string, now: number, address: string | null = '192.0.2.1') => places.mayWake(app, address, now);
    expect([wakes('a', 0), wakes('a', 1), wakes('b', 2), wakes('c', 3)]).toEqual([true, true, true, false]);
    expect([wakes('c', 4, '192.0.2.2'), wakes('c', 5, null), wakes('a', 59_999)]).toEqual([true, true, true]);
    expect(wakes('c', 60_000)).toBe(true);
  });

  it('remembers the wake-ups of 10,000 addresses, and forgets the oldest one', () => {
    const places = occupancy({ wakesPerAddress: 1 });
    for (let i = 0; i <= 10_000; i++) places.mayWake('a', `host ${i}`, 0);
    expect(places.mayWake('b', 'host 1', 0)).toBe(false);
    expect(places.mayWake('b', 'host 0', 0)).toBe(true);
  });

  it('suffice for 2,000 people behind one address, by default', () => {
    const places = occupancy({});
    const people = Array.from({ length: 2_000 });
    const tabs = people.flatMap(() => [1, 2, 3].map(() => places.webSocket('crm', '192.0.2.1')));
    const requests = people.flatMap(() => [1, 2, 3, 4, 5].map(() => places.request('crm')));
    expect([...tabs, ...requests].filter((place) => typeof place !== 'function')).toEqual([]);
  });
});

describe('the address of a visitor', () => {
  const trusts = trustOf(['loopback', '10.0.0.0/8'], () => {});
  const of = (forwarded: string | undefined, address: string) =>
    visitorAddress(forwarded, { address, trusted: trusts(address), protocol: 'http' }, trusts);

  it.each<[string | undefined, string, string | null]>([
    [undefined, '192.0.2.1', '192.0.2.1'],
    ['203.0.113.9', '192.0.2.1', '192.0.2.1'],
    ['203.0.113.9', '127.0.0.1', '203.0.113.9'],
    ['198.51.100.1, 203.0.113.9, 10.1.2.3', '127.0.0.1', '203.0.113.9'],
    ['::ffff:203.0.113.9', '10.0.0.1', '203.0.113.9'],
    ['2001:db8::1', '10.0.0.1', '2001:db8::1'],
    [undefined, '127.0.0.1', null],
    ['unknown', '127.0.0.1', null],
    ['203.0.113.9, unknown', '127.0.0.1', null],
    ['10.0.0.2', '127.0.0.1', '10.0.0.2'],
    ['unknown, 10.0.0.2', '127.0.0.1', null],
  ])('with X-Forwarded-For: %s from %s is %s', (forwarded, address, expected) => {
    expect(of(forwarded, address)).toBe(expected);
  });
});

describe('turns of an address', () => {
  it('follow each other at once, then at intervals, and are refused when they are far', () => {
    const pace = new Pace(10, 3, 25);
    expect(Array.from({ length: 8 }, () => pace.turn('a', 1_000))).toEqual([0, 0, 0, 0, 10, 20, null, null]);
    expect(pace.turn('b', 1_000)).toBe(0);
    expect(pace.turn('a', 1_010)).toBe(20);
    expect([1, 2, 3, 4, 5].map(() => pace.turn('a', 100_000))).toEqual([0, 0, 0, 0, 10]);
  });

  it('of addresses that are not known are those of one', () => {
    const pace = new Pace(10, 0, 100);
    expect([pace.turn(null, 1_000), pace.turn(null, 1_000)]).toEqual([0, 10]);
  });
});

describe('sign-ins of an address', () => {
  it('are as many in a minute, of which some follow each other at once', () => {
    const places = occupancy({ signInsPerAddress: 60 });
    const tried = (address: string | null, now: number) => {
      let count = 0;
      while (count < 1_000 && places.maySignIn(address, now)) count++;
      return count;
    };
    expect([tried('192.0.2.1', 0), tried('192.0.2.1', 10_000), tried('192.0.2.2', 10_000)]).toEqual([51, 10, 51]);
    expect([tried(null, 0), tried(null, 0)]).toEqual([51, 0]);
  });

  it.each([
    ...['/api/auth:signIn', '/api/__app/crm/auth%3AsignUp?x=y', '/api/auth:signin/'],
    ...['/api/auth:sign%49n', '/api/%61%75th:signI%6e', '/api/__app/crm/auth:sign%55p'],
  ])('%s is one', (url) => {
    expect(isSignIn(url)).toBe(true);
  });

  it('with a password follow each other, two at a time, until each is answered', async () => {
    const turns = new SignInTurns();
    const of = (authenticator?: string) =>
      turns.has({ url: '/api/auth:signIn', headers: { 'x-authenticator': authenticator } } as never);
    expect([of(), of('basic'), of('ldap')]).toEqual([true, true, false]);
    const responses = Array.from({ length: 4 }, () => Object.assign(new EventEmitter(), { closed: false }));
    const begun: Array<[number, boolean]> = [];
    const socket = Object.assign(new EventEmitter(), { destroyed: false });
    responses.forEach((res, index) => {
      void turns.take({ socket } as never, res as never).then((isHere) => begun.push([index, isHere]));
    });
    await vi.waitFor(() => expect(begun).toHaveLength(2));
    responses[2].closed = true;
    responses[0].emit('close');
    await vi.waitFor(() => expect(begun).toHaveLength(4));
    expect(begun).toEqual([
      [0, true],
      [1, true],
      [2, false],
      [3, true],
    ]);
    expect(socket.listenerCount('close')).toBe(2);
    // Both that have their turn wait behind an earlier answer of a connection, which ends: they hear nothing themselves.
    const next = turns.take({ socket: new EventEmitter() } as never, new EventEmitter() as never);
    Object.assign(socket, { destroyed: true }).emit('close');
    expect(await next).toBe(true);
  });

  it.each([
    ...['/api/auth:check', '/api/auth:signInAs', '/api/x?a=/auth:signIn', '/xauth:signIn'],
    ...['/api/auth:signIn%', '/api/auth:sign%2549n'],
  ])('%s is none', (url) => {
    expect(isSignIn(url)).toBe(false);
  });
});

describe('a body that hardly arrives', () => {
  function setup() {
    const clock = new FakeClock();
    const socket = { bytesRead: 300 };
    const headers = { 'content-length': '100000' };
    const req = { headers, socket, readableFlowing: true, readableLength: 0, complete: false, once: vi.fn() };
    const late = vi.fn();
    watchBody(req as never, 1_000, clock, late);
    return { clock, socket, req, late };
  }

  it('is given up after an interval with less than 1 KiB, once', () => {
    const { clock, socket, late } = setup();
    for (let i = 0; i < 5; i++) {
      socket.bytesRead += 1_024;
      clock.pass(1_000);
    }
    expect(late).not.toHaveBeenCalled();
    socket.bytesRead += 1_023;
    clock.pass(1_000);
    clock.pass(10_000);
    expect(late).toHaveBeenCalledOnce();
  });

  it('is not the visitor’s fault while nobody here reads it', () => {
    for (const state of [{ readableFlowing: false }, { readableFlowing: null }, { readableLength: 1 }]) {
      const { clock, req, late } = setup();
      Object.assign(req, state);
      clock.pass(10_000);
      expect(late).not.toHaveBeenCalled();
      Object.assign(req, { readableFlowing: true, readableLength: 0 });
      clock.pass(1_000);
      expect(late).toHaveBeenCalledOnce();
    }
  });

  it('is nothing any more once it is complete, or its request is gone', () => {
    const [whole, gone] = [setup(), setup()];
    whole.req.complete = true;
    gone.req.once.mock.calls.find(([event]) => event === 'close')?.[1]();
    for (const { clock, late } of [whole, gone]) {
      clock.pass(10_000);
      expect(late).not.toHaveBeenCalled();
    }
  });
});
