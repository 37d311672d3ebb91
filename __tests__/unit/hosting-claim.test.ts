import { beforeEach, expect, it } from 'vitest';
import { type HostingRow, type HostingRows, judgeAdmission, readRows } from '../../src/server/databases';
import { claimTurn } from '../../src/server/worker/hosting/boot-turn';
import {
  claimHosting,
  displacedRows,
  type HostingAuthority,
  isForeign,
  restoreRow,
} from '../../src/server/worker/hosting/claim';
import type { AppRecord } from '../../src/shared/messages';
import { recordOf } from '../support/fixtures';

/** Which boot may write its row into an app's database, and what it does to the rows of others. */

const row = (values: Partial<HostingRow> = {}): HostingRow => ({
  environment: 'env_a',
  uid: 'uid-1',
  generation: 4,
  instance: 'one',
  epoch: 1,
  taken: 0,
  boot: '7',
  installation: 'here',
  ...values,
});

const NOW = Date.UTC(2026, 10, 24);
let stored: HostingRow[];
let isHost: boolean;
let epoch: number;
let silent: string[];
/** What happens while other environments are asked about. */
let meanwhile: () => void;
let isOpen: boolean;
const done: string[] = [];

const rows: HostingRows = {
  all: async () => stored,
  write: async ({ environment, instance, epoch, taken }) =>
    void done.push(`writes ${environment} ${instance} ${epoch} ${taken}`),
  take: async ({ environment }, generation) => void done.push(`takes ${environment} ${generation}`),
};
const authority: HostingAuthority = {
  environment: 'env_a',
  instance: 'two',
  installation: () => 'here',
  epoch: () => epoch,
  now: () => NOW,
  confirm: async () => isHost,
  exceed: async (other) => {
    epoch = other + 1;
  },
  silentOf: async (environments) => {
    expect(isOpen, 'A session of the database is open while other environments are asked about').toBe(false);
    meanwhile();
    return environments.filter((one) => silent.includes(one));
  },
};
/** A turn that claims an app by the newest record; returns the environments that may still run it. */
async function claim(values: Partial<AppRecord> = {}): Promise<string[] | null> {
  wished = recordOf({ uid: 'uid-1', generation: 5, environments: ['env_a'], ...values });
  let found: string[] = [];
  const turn = {
    decide: () => wished && { record: wished, how: 'start' as const },
    authority,
    left: (environments: string[]) => {
      found = environments;
    },
  };
  const wish = await claimTurn(turn, async (record, known) => {
    isOpen = true;
    return claimHosting(rows, record, '9', authority, known).finally(() => {
      isOpen = false;
    });
  });
  if (wish) expect(wish.record).toBe(wished);
  return wish && found;
}
let wished: AppRecord | null;

beforeEach(() => {
  stored = [];
  isHost = true;
  epoch = 2;
  silent = [];
  meanwhile = () => undefined;
  isOpen = false;
  done.length = 0;
});

it('writes the row where nobody has one, or only a process from which this one took over', async () => {
  for (const before of [[], [row()], [row({ epoch: 9, instance: 'two' })], [row({ epoch: 9, uid: 'another' })]]) {
    stored = before;
    expect(await claim()).toEqual([]);
  }
  expect(new Set(done)).toEqual(new Set(['writes env_a two 2 0']));
});

it('writes nothing for a process that does not host its environment any more', async () => {
  isHost = false;
  expect([await claim(), done]).toEqual([null, []]);
});

it('writes nothing for a process that stands down while it claims a newer epoch', async () => {
  stored = [row({ epoch: 700 })];
  const { exceed } = authority;
  authority.exceed = async (other) => {
    await exceed(other);
    isHost = false;
  };
  expect([await claim().finally(() => Object.assign(authority, { exceed })), done]).toEqual([null, []]);
});

it('writes above a newer epoch, which is from before the main database fell back', async () => {
  stored = [row({ epoch: 700 })];
  await claim();
  expect(done).toEqual(['writes env_a two 701 0']);
});

it('overwrites an epoch that no process can have had', async () => {
  stored = readRows([row({ epoch: '9223372036854775807' as never })]);
  await claim();
  expect(done).toEqual(['writes env_a two 2 0']);
});

it('writes its row again after a restore only if the app has none there and this process hosts', async () => {
  const restore = async () => [await restoreRow(rows, { uid: 'uid-1', generation: 5 }, authority), ...done.splice(0)];
  const written = [true, 'writes env_a two 2 0'];
  expect(await restore()).toEqual(written);
  stored = [row({ environment: 'env_b' }), row({ uid: 'another' })];
  expect(await restore()).toEqual(written);
  isHost = false;
  expect(await restore()).toEqual([false]);
  isHost = true;
  stored = [row({ taken: 5 })];
  expect(await restore()).toEqual([false]);
});

it('is refused where the row of the app names another process, and not where the app has none', () => {
  const me = { instance: 'two', epoch: 2 };
  const found = [
    undefined,
    row({ uid: 'another', epoch: 9 }),
    row({ instance: 'two', epoch: 9 }),
    row(),
    row({ epoch: 2 }),
    row({ taken: 5 }),
    row({ instance: 'two', taken: 5 }),
  ];
  expect(found.map((one) => judgeAdmission(one, me, 'uid-1'))).toEqual([
    'own',
    'own',
    'own',
    'adopt',
    'refused',
    'refused',
    'refused',
  ]);
});

it('reads numbers that are text, and leaves out rows that nobody of ours has written', () => {
  const [epoch, taken] = ['1700000000000', '3'] as unknown[] as number[];
  const foreign = [row({ environment: 'e'.repeat(65) }), row({ uid: null as never })];
  expect(readRows([row({ epoch, taken }), ...foreign])).toEqual([row({ epoch: 1_700_000_000_000, taken: 3 })]);
});

it('asks about at most 50 environments that the app has left', async () => {
  stored = Array.from({ length: 80 }, (_, index) => row({ environment: `env_${index}` }));
  expect(await claim({ environments: ['env_a', 'env_z'] })).toHaveLength(50);
});

it('is refused where the app was taken in this generation or a newer one, and not by an older one', async () => {
  stored = [row({ taken: 5 })];
  await expect(claim()).rejects.toMatchObject({ code: 'HOSTING_TAKEN', newest: 5 });
  expect(done).toEqual([]);
  expect(await claim({ generation: 6 })).toEqual([]);
});

it('takes the app from environments that it has left and that nobody holds, and names those that are held', async () => {
  stored = ['env_b', 'env_c', 'env_d', 'env_e'].map((environment) => row({ environment }));
  stored[3].taken = 4;
  silent = ['env_b', 'env_d', 'env_e'];
  expect(await claim({ environments: ['env_a', 'env_d'] })).toEqual(['env_c']);
  expect(done).toEqual(['writes env_a two 2 0', 'takes env_b 5']);
});

it('takes an app with one environment from all others, whether they are held or not, and asks nobody', async () => {
  stored = ['env_b', 'env_c'].map((environment) => row({ environment, epoch: 700 }));
  meanwhile = () => expect.unreachable('It asks about other environments.');
  expect(await claim()).toEqual([]);
  expect(done).toEqual(['writes env_a two 2 0', 'takes env_b 5', 'takes env_c 5']);
});

it('ends the boot of a process that it has displaced, and of an environment that its app has left for this one alone', () => {
  const ended = (values: Partial<HostingRow>, environments = ['env_a']) =>
    displacedRows([row(values)], { uid: 'uid-1', generation: 5, environments }, authority).length > 0;
  expect(ended({})).toBe(true);
  expect([ended({ epoch: 2 }), ended({ instance: 'two' })]).toEqual([false, false]);
  expect(ended({ environment: 'env_b', epoch: 700 })).toBe(true);
  expect(ended({ environment: 'env_b' }, ['env_a', 'env_c'])).toBe(false);
  expect([ended({ environment: 'env_b' }, ['env_b']), ended({ environment: 'env_b', uid: 'x' })]).toEqual([
    false,
    false,
  ]);
});

it('ends no boot where the app was taken from it since: its record is the older one', () => {
  const ended = (taken: number) =>
    displacedRows(
      [row({ taken }), row({ environment: 'env_b', epoch: 700 })],
      { uid: 'uid-1', generation: 5, environments: ['env_a'] },
      authority,
    ).map(({ environment }) => environment);
  expect(ended(5)).toEqual([]);
  expect(ended(4)).toContain('env_b');
});

it('is refused for an app with one environment where a newer record has started it, unless nobody holds that', async () => {
  const record = { uid: 'uid-1', generation: 5, environments: ['env_a'] };
  stored = [row({ environment: 'env_b', generation: 6 }), row({ environment: 'env_c', generation: 5 })];
  expect(displacedRows(stored, record, authority).map(({ environment }) => environment)).toEqual(['env_c']);
  await expect(claim()).rejects.toMatchObject({ code: 'HOSTING_TAKEN', newest: 6 });
  expect(done).toEqual([]);
  silent = ['env_b'];
  expect([await claim(), done]).toEqual([[], ['writes env_a two 2 0', 'takes env_b 6', 'takes env_c 5']]);
});

it.each([NOW + 86_400_001, Number.MAX_SAFE_INTEGER])(
  'is kept out by no generation that can be none (%s)',
  async (never) => {
    const record = { uid: 'uid-1', generation: 5, environments: ['env_a'] };
    stored = [row({ taken: never }), row({ environment: 'env_b', generation: never })];
    expect(displacedRows(stored, record, authority).map(({ environment }) => environment)).toEqual(['env_a', 'env_b']);
    expect([await claim(), done]).toEqual([[], ['writes env_a two 2 0', 'takes env_b 5']]);
    // The clock of this process may be behind.
    stored = [row({ taken: never })];
    await expect(claim({ generation: never - 1 })).rejects.toMatchObject({ code: 'HOSTING_TAKEN' });
  },
);

it('claims by what is wished once it has asked about others, which takes longer than a heartbeat', async () => {
  stored = [row({ environment: 'env_b' })];
  silent = ['env_b'];
  meanwhile = () => {
    wished = null;
  };
  const environments = ['env_a', 'env_z'];
  expect([await claim({ environments }), done]).toEqual([null, []]);
  meanwhile = () => {
    wished = recordOf({ uid: 'uid-1', generation: 9, environments });
  };
  expect([await claim({ environments }), done]).toEqual([[], ['writes env_a two 2 0', 'takes env_b 9']]);
  meanwhile = () => {
    isHost = false;
  };
  expect(await claim({ environments })).toBeNull();
});

it('knows the row of another installation from one of its own', () => {
  const foreign = row({ installation: 'there', epoch: 9 });
  const others = [
    undefined,
    row(),
    { ...foreign, installation: '' },
    { ...foreign, taken: 1 },
    { ...foreign, uid: 'x' },
  ];
  expect(isForeign(foreign, 'uid-1', authority)).toBe(true);
  expect(isForeign(foreign, 'uid-1', { ...authority, installation: () => '' })).toBe(false);
  expect(others.map((one) => isForeign(one, 'uid-1', authority))).toEqual(others.map(() => false));
});
