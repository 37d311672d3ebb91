import { describe, expect, it } from 'vitest';
import { type DirectoryEntry, modelsOf } from '../../src/server/parts/directory';

const entry: DirectoryEntry = {
  name: 'crm',
  uid: 'uid-1',
  title: 'CRM',
  icon: 'Shop',
  cname: 'crm.example.com',
  sort: 1,
  pinned: true,
  hidden: true,
  startMode: 'onVisit',
  environments: ['env_a'],
  sso: { mapping: { field: 'email' } },
};

describe('what the core gets to know of an app', () => {
  it('is a copy: whoever changes it changes nobody’s definition (131c9d3)', () => {
    const before = structuredClone(entry);
    const [model] = modelsOf([entry]) as unknown as {
      environments: string[];
      options: { sso: { mapping: { field: string } } };
    }[];
    model.environments.push('env_b');
    model.options.sso.mapping.field = 'name';
    Object.assign(model.options, { hidden: false });
    expect(entry).toEqual(before);
  });
});

it('every process has the apps in one order, in whatever order it came to know them', () => {
  const entries = [
    { ...entry, name: 'wiki' },
    { ...entry, name: 'shop', sort: 0 },
    { ...entry, name: 'crm' },
  ];
  expect(modelsOf(entries).map(({ name }) => name)).toEqual(['shop', 'crm', 'wiki']);
  expect(entries[0].name).toBe('wiki');
});
