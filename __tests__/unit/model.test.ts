import { describe, expect, it } from 'vitest';
import type { HostRow } from '../../src/server/databases';
import { judgeClaim, judgeLeaving } from '../../src/server/worker/hosting/claim';
import { judgeAdmission } from '../../src/server/worker/hosting/guarded-pool';
import { Hosting, SEARCHES } from '../model/hosting';
import * as Rows from '../model/rows';
import { search } from '../model/search';

/** What the models say of rows is what the product does: for all small rows. */

const UID = 'uid';
const [HERE, THERE] = ['a', 'b'];
const NUMBERS = [1, 2, 3];
const HOLDERS = ['x', 'y'];

const ROWS: (Rows.Row | null)[] = [
  null,
  ...NUMBERS.flatMap((generation) =>
    [1, 2].flatMap((term) =>
      HOLDERS.flatMap((_, i) => [true, false].map((isGone) => ({ holder: i + 1, term, generation, isGone }))),
    ),
  ),
];

const holderOf = (holder: number) => (holder ? HOLDERS[holder - 1] : '');
const hostRows = (own: Rows.Row | null, other: Rows.Row | null): HostRow[] =>
  [own, other].flatMap((row, i) => {
    if (!row) return [];
    const { holder, term, generation, isGone: gone } = row;
    return [{ environment: [HERE, THERE][i], uid: UID, holder: holderOf(holder), term, generation, gone }];
  });

/** Who asks has the first name. */
const ME = { holder: 1, term: 1 };
const me = { environment: HERE, holder: HOLDERS[0], term: () => 1, now: () => 1_000 };

describe('the rows of the models', () => {
  it('are claimed as the product claims them', () => {
    let count = 0;
    for (const own of ROWS)
      for (const other of ROWS)
        for (const generation of NUMBERS)
          for (const otherMayHost of [true, false])
            for (const otherHasLeft of [true, false]) {
              const hosts = otherMayHost ? [HERE, THERE] : [HERE];
              const left = otherHasLeft ? [THERE] : [];
              const wish = { uid: UID, generation, environments: hosts, hosts, left };
              const expected = Rows.claim(own, other, { generation, otherMayHost, otherHasLeft }, ME);
              const found = judgeClaim(hostRows(own, other), wish, me);
              if (!('own' in expected)) expect(found).toEqual(expected);
              else {
                // What stays as it is, is not written.
                const written = hostRows(expected.own, otherMayHost ? null : expected.other);
                expect(found).toEqual({ write: written, remove: [] });
              }
              count++;
            }
    expect(count).toBe(ROWS.length ** 2 * NUMBERS.length * 4);
  });

  it('are left and read as the product does it', () => {
    for (const own of ROWS) {
      for (const generation of NUMBERS) {
        const expected = Rows.leave(own, generation, ME);
        const found = judgeLeaving(hostRows(own, null), { uid: UID, generation }, me);
        if ('newest' in expected) expect(found).toEqual({ write: [], ...expected });
        else expect(found).toEqual({ write: hostRows(expected.own, null) });
      }
      const [row] = hostRows(own, null);
      expect(judgeAdmission(row, { holder: HOLDERS[0], term: 1 }, UID)).toBe(Rows.admit(own, ME));
    }
  });
});

describe('a search', () => {
  it('finds that a connection reads no row', () => {
    const { found } = search(new Hosting(SEARCHES.fence as never, { fence: true }), { seconds: 30 });
    expect(found).toMatchObject({ kind: 'safety', what: 'A1 writes while A2 begins' });
    expect(search(new Hosting(SEARCHES.fence as never), { seconds: 30, states: 2_000 }).found).toBeNull();
  });
});
