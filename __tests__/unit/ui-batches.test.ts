import { describe, expect, it } from 'vitest';
import type { BatchRow } from '../../src/shared/batch';
import { batchProgress, shownBatches } from '../../src/ui/batches/batch';
import type { Translate } from '../../src/ui/host';

const HOUR = 3_600_000;
const batch = (values: Partial<BatchRow>): BatchRow => ({
  ...{ id: 'b', action: 'stop', environment: null, createdBy: '7', createdAt: 0, total: 3, done: 3, underWay: 0 },
  ...{ failed: 0, cancelled: 0, failures: [], isOver: true },
  ...values,
});
const t: Translate = (text, values = {}) => text.replace(/\{\{(\w+)\}\}/g, (_, name) => String(values[name]));

describe('above the list', () => {
  const isShown = (values: Partial<BatchRow>, now = 0, dismissed: string[] = []) =>
    shownBatches([batch(values)], 7, dismissed, now).length === 1;

  it('every batch that goes on is shown, and of those that are over the own', () => {
    expect(isShown({ isOver: false, createdBy: '8' }, 99 * HOUR, ['b'])).toBe(true);
    expect(isShown({ createdBy: '8' })).toBe(false);
    expect(isShown({})).toBe(true);
  });

  it('what is over is shown for an hour, what has failed for a day, and until it is dismissed', () => {
    expect([isShown({}, HOUR - 1), isShown({}, HOUR)]).toEqual([true, false]);
    expect([isShown({ failed: 1 }, 24 * HOUR - 1), isShown({ failed: 1 }, 24 * HOUR)]).toEqual([true, false]);
    expect(isShown({ failed: 1 }, 0, ['b'])).toBe(false);
  });

  it('of those that went well only the newest is shown, and every other one', () => {
    const states = { stop: {}, fails: { failed: 1 }, start: {}, runs: { isOver: false } };
    const batches = Object.entries(states).map(([id, values]) => batch({ id, ...values }));
    const ids = (dismissed: string[]) => shownBatches(batches, 7, dismissed, 0).map(({ id }) => id);
    expect(ids([])).toEqual(['stop', 'fails', 'runs']);
    expect(ids(['stop'])).toEqual(['fails', 'runs']);
  });
});

it('says of a batch what there is of it, and nothing of what there is none of', () => {
  expect(batchProgress(t, batch({}))).toBe('3 of 3 done');
  expect(batchProgress(t, batch({ done: 1, failed: 1, cancelled: 1 }))).toBe('1 of 3 done, 1 failed, 1 cancelled');
});
