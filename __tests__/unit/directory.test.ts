import { describe, expect, it } from 'vitest';
import { type DirectoryEntry, modelOf } from '../../src/server/parts/directory';

const entry: DirectoryEntry = {
  name: 'crm',
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
