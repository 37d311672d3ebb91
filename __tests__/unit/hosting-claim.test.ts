import { beforeEach, describe, expect, it } from 'vitest';
import { type HostPlace, type HostRow, readRows } from '../../src/server/databases';
import {
  claimHosting,
  endBootInTheWay,
  type HostingAuthority,
  judgeClaim,
  leaveHosting,
} from '../../src/server/worker/hosting/claim';
import { judgeAdmission } from '../../src/server/worker/hosting/guarded-pool';
import type { AppRecord } from '../../src/shared/messages';
import { recordOf } from '../support/fixtures';

/** Who may write to an app's database, and what becomes of the rows of others. */

const row = (values: Partial<HostRow> = {}): HostRow => ({
  environment: 'env_a',
  uid: 'uid-1',
  term: 1,
  holder: 'one',
  generation: 4,
  gone: false,
  ...values,
});

const NOW = Date.UTC(2026, 10, 24);
let stored: HostRow[];
let isHost: boolean;
let term: number;
let mayRaise: boolean;
let lockedBy: string | null;
const done: string[] = [];

const place: HostPlace = {
  rows: async () => stored,
  change: async (judge) => {
    const change = judge(stored);
    for (const { environment, holder, term, generation, gone } of change.write ?? [])
      done.push(`${gone ? 'gone' : 'writes'} ${environment} ${holder || '-'} ${term} ${generation}`);
    for (const environment of change.remove ?? []) done.push(`removes ${environment}`);
    return change;
  },
  endSessions: async (environment, exceptOf) => void done.push(`ends ${environment} but ${exceptOf}`),
  endBoot: async (environments) => lockedBy !== null && environments.includes(lockedBy),
};
const authority: HostingAuthority = {
  environment: 'env_a',
  holder: 'two',
  term: () => term,
  now: () => NOW,
  confirm: async () => isHost,
  raise: async (above) => {
    if (mayRaise) term = above + 1;
    return mayRaise;
  },
};
const wishOf = (values: Partial<AppRecord> = {}) =>
  recordOf({ uid: 'uid-1', generation: 5, environments: ['env_a'], hosts: ['env_a'], ...values });
const claim = async (values: Partial<AppRecord> = {}) => {
  done.length = 0;
  await claimHosting(place, wishOf(values), authority);
  return done;
};
const OWN = ['writes env_a two 2 5', 'ends env_a but two'];

beforeEach(() => {
  stored = [];
  isHost = true;
  term = 2;
  mayRaise = true;
  lockedBy = null;
  done.length = 0;
});

describe('invariant 4: a claim', () => {
  it('writes the row where nobody has one, or only a process from which this one took over', async () => {
    for (const before of [[], [row()], [row({ term: 9, holder: 'two' })], [row({ generation: 5 })]]) {
      stored = before;
      expect(await claim()).toEqual(OWN);
    }
  });

  it('is refused by a record that is older than that by which the app was claimed, or left', async () => {
    for (const before of [
      row({ generation: 6 }),
      row({ generation: 5, gone: true }),
      row({ generation: 6, gone: true }),
    ]) {
      stored = [before];
      await expect(claim()).rejects.toMatchObject({ code: 'HOSTING_TAKEN', newest: before.generation });
      expect(done).toEqual([]);
    }
    stored = [row({ generation: 4, gone: true })];
    expect(await claim()).toEqual(OWN);
  });

  it('takes a higher term than a later process had, as far as this one may', async () => {
    stored = [row({ term: 700 })];
    expect(await claim()).toEqual(['writes env_a two 701 5', 'ends env_a but two']);
    term = 2;
    mayRaise = false;
    await expect(claim()).rejects.toMatchObject({ code: 'HOSTING_LOST' });
    expect(done).toEqual([]);
  });

  it('says of each environment that may not host the app that the app has left, and ends its sessions', async () => {
    stored = [
      row({ environment: 'env_b', holder: 'b', term: 700, generation: 5 }),
      row({ environment: 'env_c', holder: 'c', gone: true, generation: 9 }),
    ];
    expect(await claim({ left: ['env_b', 'env_d'] })).toEqual([
      'writes env_a two 2 5',
      'gone env_b b 700 5',
      'gone env_c c 1 9',
      'gone env_d - 0 5',
      'ends env_a but two',
      'ends env_b but null',
      'ends env_c but null',
      'ends env_d but null',
    ]);
  });

  it('leaves those alone that may host the app by the same record, with their places', async () => {
    stored = [row({ environment: 'env_b', generation: 900 }), row({ environment: 'env_b/crm', generation: 900 })];
    expect(await claim({ environments: ['env_a', 'env_b'], hosts: ['env_a', 'env_b'] })).toEqual(OWN);
    // From a Supervisor that does not name hosts.
    expect(await claim({ environments: ['env_a', 'env_b'], hosts: undefined })).toEqual(OWN);
  });

  it('is refused where a newer record has started the app in an environment that may not host it by this one', async () => {
    stored = [row({ environment: 'env_b', generation: 6 })];
    await expect(claim()).rejects.toMatchObject({ code: 'HOSTING_TAKEN', newest: 6 });
    stored = [row({ environment: 'env_b', generation: 6, gone: true })];
    expect(await claim()).toContain('gone env_b one 1 6');
  });

  it('removes rows of another app, which had the database before', async () => {
    stored = [row({ uid: 'uid-0', term: 700, generation: 900 }), row({ uid: 'uid-0', environment: 'env_b' })];
    expect(await claim()).toEqual(['writes env_a two 2 5', 'removes env_b', 'ends env_a but two']);
  });

  it.each([NOW + 86_400_001, Number.MAX_SAFE_INTEGER])(
    'is kept out by no number that can be none (%s)',
    async (never) => {
      stored = [row({ generation: never, gone: true }), row({ environment: 'env_b', generation: never, term: never })];
      expect(await claim()).toEqual([OWN[0], 'gone env_b one 0 5', OWN[1], 'ends env_b but null']);
      // The clock of this process may be behind.
      stored = [row({ generation: never, gone: true })];
      await expect(claim({ generation: never - 1 })).rejects.toMatchObject({ code: 'HOSTING_TAKEN' });
    },
  );

  it('overwrites a term that no process can have had', async () => {
    stored = readRows([row({ term: '9223372036854775807' as never })]);
    expect(await claim()).toEqual(OWN);
  });

  it('judges the same rows in the same way, whatever they are', () => {
    const wish = wishOf({ left: ['env_b'] });
    const first = judgeClaim([row({ environment: 'env_c' })], wish, authority);
    const after = 'write' in first ? judgeClaim(first.write, wish, authority) : null;
    expect(after).toEqual(first);
  });
});

describe('a boot in the way', () => {
  const end = (values: Partial<AppRecord> = {}) => endBootInTheWay(place, wishOf(values), authority);

  it('is ended if its process was displaced, or may not host the app', async () => {
    stored = [row(), row({ environment: 'env_b' })];
    for (const holder of ['env_a', 'env_b', 'env_c']) {
      lockedBy = holder;
      expect(await end({ left: ['env_c'] })).toBe(true);
      expect(await end({ left: ['env_c'], hosts: ['env_a', holder] })).toBe(holder === 'env_a');
    }
    lockedBy = null;
    expect([await end(), done]).toEqual([false, []]);
  });

  it('is left alone by an older record, and by a process that does not host', async () => {
    lockedBy = 'env_b';
    stored = [row({ environment: 'env_b', generation: 6 })];
    expect(await end()).toBe(false);
    stored = [row({ environment: 'env_b' })];
    isHost = false;
    expect(await end()).toBe(false);
  });
});

describe('an app that leaves its environment', () => {
  const leave = async (generation = 5) => {
    done.length = 0;
    await leaveHosting(place, { name: 'crm', uid: 'uid-1', generation }, authority);
    return done;
  };

  it('is gone there, also where it had no row, and nobody has sessions there', async () => {
    expect(await leave()).toEqual(['gone env_a two 2 5', 'ends env_a but null']);
    stored = [row({ term: 700 }), row({ environment: 'env_b' })];
    expect(await leave()).toEqual(['gone env_a one 700 5', 'ends env_a but null']);
    stored = [row({ gone: true, generation: 9 })];
    expect(await leave()).toEqual(['gone env_a one 1 9', 'ends env_a but null']);
  });

  it('stays where it was claimed by a newer record', async () => {
    stored = [row({ generation: 6 })];
    await expect(leave()).rejects.toMatchObject({ code: 'HOSTING_TAKEN', newest: 6 });
    expect(done).toEqual([]);
  });
});

it('lets in the connections of the process that has the row, and of no other', () => {
  const judge = (found: HostRow | undefined, own: Partial<HostRow> = {}) =>
    judgeAdmission(found, { holder: 'two', term: 2, ...own }, 'uid-1');
  expect(judge(row({ holder: 'two' }))).toBe('own');
  expect([judge(row({ term: 2 })), judge(row({ holder: 'two', gone: true }))]).toEqual(['refused', 'refused']);
  // Other data were restored.
  expect([judge(undefined), judge(row({ uid: 'uid-0' })), judge(row())]).toEqual(['lost', 'lost', 'lost']);
});
