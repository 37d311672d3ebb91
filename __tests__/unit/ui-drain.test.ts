import { describe, expect, it } from 'vitest';
import { say } from '../../src/shared/message';
import type { MovePreview } from '../../src/shared/move';
import { movesApart, unforeseen } from '../../src/ui/common/move-groups';
import { drainOf, strandedOf } from '../../src/ui/environments/drain';

const app = (name: string, values: Partial<MovePreview> = {}): MovePreview => ({
  app: name,
  title: name,
  from: 'env_a',
  to: 'env_b',
  refused: null,
  overlaps: false,
  servedIn: [],
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

describe('what a move does with apps', () => {
  const absent = (name: string) => say('MOVE_DATABASE_ABSENT', { app: name, environment: 'env_b' });
  const many = Array.from({ length: 25 }, (_, index) => app(`a${index}`, { refused: absent(`a${index}`) }));

  it('is told by cause: the same one of many is one', () => {
    const served = app('wiki', { refused, servedIn: ['env_c'] });
    const apart = movesApart([app('crm'), app('alone', { refused }), ...many, served]);
    expect(apart.refused.map(({ cause, apps }) => [cause.code, apps.length])).toEqual([
      ['MOVE_DATABASE_ABSENT', 25],
      ['MOVE_NO_PLACE', 1],
    ]);
    expect([apart.moved, apart.served].map(([{ app }]) => app)).toEqual(['crm', 'wiki']);
    const elsewhere = app('b', { refused: say('MOVE_DATABASE_ABSENT', { app: 'b', environment: 'env_c' }) });
    expect(movesApart([...many, elsewhere]).refused).toHaveLength(2);
  });

  it('is told again only where the preview did not say it, with the title', () => {
    const shown = [app('crm', { title: 'CRM' }), app('wiki', { refused })];
    const told = unforeseen([{ app: 'crm' }, { app: 'wiki' }, { app: 'new' }], shown);
    expect(told).toEqual([
      { app: 'crm', title: 'CRM' },
      { app: 'new', title: undefined },
    ]);
  });

  it('of a drain: what others serve is stopped there, which is no loss', () => {
    const served = app('wiki', { refused, servedIn: ['env_b'] });
    expect(drainOf('move', [served])).toMatchObject({ left: 0, cutOff: 0, onlyStops: false, agree: { text: 'Stop' } });
    expect(drainOf('stop', [served, app('crm')])).toMatchObject({ cutOff: 1, onlyStops: true });
  });
});

it('the dialog of a forget names apps that are nowhere else', () => {
  expect(strandedOf([app('crm'), app('wiki', { overlaps: true })]).map((each) => each.app)).toEqual(['crm']);
});
