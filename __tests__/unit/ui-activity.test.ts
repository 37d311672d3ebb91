import { describe, expect, it } from 'vitest';
import {
  addressOf,
  eventsFilter,
  fromLocalInput,
  isFiltered,
  queryOf,
  toLocalInput,
} from '../../src/ui/activity/query';

const of = (address: string) => queryOf(new URLSearchParams(address));

describe('the address of the page "Activity"', () => {
  it.each([
    'app=crm&environment=env_a&person=3&kind=failure&last=24h&page=2&pageSize=50',
    'from=2026-01-02T03:04:00.000Z&to=2026-01-03T03:04:00.000Z',
    '',
  ])('is the question, both ways: %s', (address) => {
    expect(decodeURIComponent(String(new URLSearchParams(addressOf(of(address)))))).toBe(address);
  });

  it('is read as far as it is understood', () => {
    expect(of('kind=nosuch&last=9y&page=-1&pageSize=7&from=yesterday&app=&other=1')).toEqual(of(''));
    expect(of('last=1h&from=2026-01-02T03:04:00.000Z').from).toBeUndefined();
  });
});

describe('the filter of events', () => {
  it('has what the question names', () => {
    expect(eventsFilter(of('app=crm&environment=env_a&person=3&kind=crash&last=1h'), 7_200_000)).toEqual({
      appName: 'crm',
      environment: 'env_a',
      createdById: '3',
      kind: 'crash',
      at: { $gte: 3_600_000 },
    });
    expect(eventsFilter({ from: 0, to: 5 }, 9)).toEqual({ at: { $gte: 0, $lte: 5 } });
  });

  it('is empty for a question about everything, on any page', () => {
    expect(eventsFilter(of('page=3'), 0)).toEqual({});
    expect([isFiltered(of('page=3')), isFiltered(of('kind=crash'))]).toEqual([false, true]);
  });
});

it('times are entered in the time zone of the browser, to the minute', () => {
  const at = new Date(2026, 0, 2, 3, 4).getTime();
  expect(toLocalInput(at)).toBe('2026-01-02T03:04');
  expect(fromLocalInput('2026-01-02T03:04')).toBe(at);
  expect([toLocalInput(undefined), fromLocalInput('')]).toEqual(['', undefined]);
});
