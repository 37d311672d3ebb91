import { describe, expect, it } from 'vitest';
import { SEARCHES as COUNTS, Counts } from './counts';
import { SEARCHES as HOSTING, Hosting, type HostingConfig } from './hosting';
import type { Fault, Operation } from './hosting-state';
import { SEARCHES as PLACES, Places } from './places';
import { type Omitted, RULES, type Rule } from './rules';
import { type Model, search, walk } from './search';

const modelsOf = <C>(searches: Record<string, C>, make: (config: C, without: Omitted) => Model) =>
  Object.entries(searches).map(([name, config]) => [name, (without: Omitted) => make(config, without)] as const);

/** By name, the model in which a search looks for a fault. */
const MODELS: Record<string, (without: Omitted) => Model> = Object.fromEntries([
  ...modelsOf<HostingConfig>(HOSTING, (config, without) => new Hosting(config, without)),
  ...modelsOf(PLACES, (config, without) => new Places(config, without)).map(
    ([n, make]) => [`places ${n}`, make] as const,
  ),
  ...modelsOf(COUNTS, (config, without) => new Counts(config, without)).map(
    ([n, make]) => [`counts ${n}`, make] as const,
  ),
]);

/** Which search finds that a rule is left out. Rules that guard the same are left out together. */
const FOUND_BY: [search: string, ...rules: Rule[]][] = [
  ['fence', 'fence'],
  ['fence', 'markFirst'],
  ['fence', 'endsSessions'],
  ['fence', 'transaction'],
  ['fence', 'takes'],
  ['main', 'ownGeneration'],
  ['places both', 'otherGeneration'],
  ['fence', 'term', 'confirm'],
  ['mainBeside', 'term', 'termClock'],
  ['first', 'left', 'otherGeneration'],
  ['fence', 'removalWaits'],
  ['remove', 'dropMark'],
  ['restore', 'above'],
  ['past', 'oneSequence'],
  ['restore', 'clock'],
  ['failed', 'returns'],
  ['failedTwice', 'once'],
  ['counts leaders', 'sqlTerm'],
  ['counts past', 'condition'],
  ['counts leaders', 'newLeaderCompares'],
  ['counts past', 'looks'],
  ['counts past', 'sameCount'],
];

const REQUESTS: Operation[] = ['move', 'stop', 'delete', 'recreate'];
const FAULTS: Fault[] = [
  'freeze',
  'kill',
  'cutMain',
  'cutRedis',
  'cutSession',
  'flush',
  'redisCopy',
  'supervisorCopy',
  'mainCopy',
  'rowsCopy',
];
const MUCH = { hasStandby: true, operations: 6, faults: 8, takeovers: 4, can: [...REQUESTS, ...FAULTS] };

describe('the model', () => {
  it.each(Object.keys(MODELS))('holds in every order of steps: %s', (name) => {
    const { found, states } = search(MODELS[name]({}), { seconds: 2.5 });
    expect(found).toBeNull();
    expect(states).toBeGreaterThan(1_000);
  });

  it.each([
    ['an app that runs', MUCH],
    ['an app that is created', { ...MUCH, isNew: true }],
    ['an app that does not start in one environment', { ...MUCH, broken: [1] }],
  ])('holds on long ways on which all faults meet: %s', (_, config) => {
    const { found, states } = walk(new Hosting(config), 7, { seconds: 4 });
    expect(found).toBeNull();
    expect(states).toBeGreaterThan(1_000);
  });
});

describe('the model without a rule', () => {
  it.each(FOUND_BY.map(([name, ...rules]) => [name, rules] as const))('fails in %s: %j', (name, rules) => {
    const without: Omitted = Object.fromEntries(rules.map((rule) => [rule, true]));
    expect(search(MODELS[name](without), { seconds: 60 }).found).not.toBeNull();
  });

  it('is tried for each rule', () => {
    expect(new Set(FOUND_BY.flatMap(([, ...rules]) => rules))).toEqual(new Set(Object.keys(RULES)));
  });
});
