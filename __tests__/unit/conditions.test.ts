import { describe, expect, it } from 'vitest';
import { type AppCondition, appsOf, type Membership } from '../../src/server/core/adapters/app-condition';
import type { AppModel } from '../../src/server/core/adapters/managed';

const app = (name: string, environments: string[], options: AppModel['options'] = {}): AppModel => ({
  name,
  title: name.toUpperCase(),
  hosts: [],
  sort: 0,
  pinned: name === 'crm',
  visibleTo: 'everybody',
  visibleRoles: [],
  environments,
  options,
});

const APPS = [
  app('crm', ['env_a', 'env_b'], { autoStart: true }),
  app('shop', ['env_b'], { autoStart: true, sso: { enabled: true } }),
  app('wiki', ['env_a'], { sso: { enabled: false } }),
];
const AUTO_START: AppCondition = { filter: { 'options.autoStart': true } };

describe('apps of a condition', () => {
  it.each<[string, AppCondition, string[]]>([
    ['a path into the options', AUTO_START, ['crm', 'shop']],
    ['a deeper path', { filter: { 'options.sso.enabled': true } }, ['shop']],
    ['a field', { filter: { pinned: true } }, ['crm']],
    ['an operator', { filter: { name: { $in: ['crm', 'wiki'] } } }, ['crm', 'wiki']],
    ['either', { filter: { $or: [{ name: 'wiki' }, { pinned: true }] } }, ['crm', 'wiki']],
    ['what no app has', { filter: { 'options.hidden': true } }, []],
    ['nothing', {}, []],
    ['a function', { match: ({ title }) => title === 'WIKI' }, ['wiki']],
    ['a function before a filter', { match: () => false, filter: { pinned: true } }, []],
  ])('defined by %s', (_, condition, expected) => {
    expect(appsOf(condition, APPS, {}, null)).toEqual(expected);
  });

  it('are those of one environment if it is named', () => {
    expect(appsOf(AUTO_START, APPS, {}, 'env_a')).toEqual(['crm']);
    expect(appsOf(AUTO_START, APPS, {}, 'env_b')).toEqual(['crm', 'shop']);
    expect(appsOf(AUTO_START, APPS, {}, 'env_c')).toEqual([]);
  });

  it('follow manual assignments for one environment, but never include a deleted or unassigned app', () => {
    const byHand: Record<string, Membership[]> = {
      crm: [{ environment: 'env_a', member: false }],
      wiki: [
        { environment: 'env_a', member: true },
        { environment: 'env_b', member: true },
      ],
      gone: [{ environment: 'env_a', member: true }],
    };
    expect(appsOf(AUTO_START, APPS, byHand, 'env_a')).toEqual(['wiki']);
    expect(appsOf(AUTO_START, APPS, byHand, 'env_b')).toEqual(['crm', 'shop']);
    expect(appsOf(AUTO_START, APPS, byHand, null)).toEqual(['crm', 'shop', 'wiki']);
  });
});
