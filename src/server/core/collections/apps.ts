import type { CollectionOptions } from '@nocobase/database';

/** App definitions: the truth about what should be. `generation` and `boot` as in the README's "How the fleet agrees". */
export default {
  name: 'apps',
  autoGenId: false,
  fields: [
    { name: 'name', type: 'string', primaryKey: true },
    { name: 'uid', type: 'string', unique: true },
    { name: 'title', type: 'string' },
    { name: 'icon', type: 'text' },
    { name: 'cname', type: 'string', unique: true },
    { name: 'pinned', type: 'boolean', defaultValue: false },
    { name: 'hidden', type: 'boolean', defaultValue: false },
    { name: 'sort', type: 'integer', defaultValue: 0 },
    { name: 'environments', type: 'json', defaultValue: [] },
    { name: 'targetEnvironment', type: 'string' },
    { name: 'desired', type: 'string', defaultValue: 'running' },
    { name: 'startMode', type: 'string', defaultValue: 'onVisit' },
    { name: 'autoUpgrade', type: 'boolean', defaultValue: true },
    { name: 'database', type: 'json', defaultValue: {} },
    { name: 'jwtSecret', type: 'text', hidden: true },
    { name: 'sso', type: 'json' },
    { name: 'generation', type: 'bigInt' },
    { name: 'boot', type: 'json' },
    { name: 'claim', type: 'string', defaultValue: 'none' },
    { name: 'initialAdmin', type: 'json', hidden: true },
    { name: 'published', type: 'json', defaultValue: {} },
  ],
} satisfies CollectionOptions;
