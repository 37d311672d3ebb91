import { describe, expect, it } from 'vitest';
import { say } from '../../src/shared/message';
import type { MovePreview } from '../../src/shared/move';
import { drainOf, strandedOf } from '../../src/ui/environments/drain';

const app = (name: string, values: Partial<MovePreview> = {}): MovePreview => ({
  app: name,
  title: name,
  from: 'env_a',
  to: 'env_b',
  refused: null,
  overlaps: false,
  waits: null,
  notes: [],
  ...values,
});
const refused = say('MOVE_NO_PLACE');
const stopped = [say('MOVE_STAYS_STOPPED')];

describe('the dialog of a drain', () => {
  const apps = [app('crm'), app('wiki', { refused }), app('old', { refused, notes: stopped })];
  const said = (...args: Parameters<typeof drainOf>) => {
    const { agree, onlyStops, left } = drainOf(...args);
    return [agree.text.replace('{{count}}', String(agree.values?.count)), onlyStops, left];
  };

  it('is red where it only stops, and says what its button does', () => {
    expect(said('move', apps)).toEqual(['Move', false, 1]);
    expect(said('moveOrStop', apps)).toEqual(['Move', false, 1]);
    expect(said('stop', apps)).toEqual(['Stop 2 apps', true, 1]);
    expect(said('move', apps.slice(1))).toEqual(['Cordon only', false, 1]);
    expect(said('moveOrStop', apps.slice(1))).toEqual(['Stop', true, 1]);
    expect(said('stop', apps.slice(2))).toEqual(['Cordon only', false, 0]);
  });
});

it('the dialog of a forget names apps that are nowhere else', () => {
  expect(strandedOf([app('crm'), app('wiki', { overlaps: true })]).map((each) => each.app)).toEqual(['crm']);
});
