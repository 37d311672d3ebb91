import { describe, expect, it } from 'vitest';
import { type DirectoryEntry, DirectoryReader, modelOf } from '../../src/server/parts/directory';
import type { StateStore } from '../../src/server/wire/wire';

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
    const model = modelOf(entry) as unknown as {
      environments: string[];
      options: { sso: { mapping: { field: string } } };
    };
    model.environments.push('env_b');
    model.options.sso.mapping.field = 'name';
    Object.assign(model.options, { hidden: false });
    expect(entry).toEqual(before);
  });
});

it('a hosting process has the apps in the Supervisor’s order, whatever order the store gives them in', async () => {
  const entries = [
    { ...entry, name: 'wiki' },
    { ...entry, name: 'shop', sort: 0 },
    { ...entry, name: 'crm' },
  ];
  const reader = new DirectoryReader({
    readDirectory: async () => ({ version: '1', entries, supervisor: null }),
  } as unknown as StateStore);
  await reader.read();
  expect(reader.all().map(({ name }) => name)).toEqual(['shop', 'crm', 'wiki']);
});
