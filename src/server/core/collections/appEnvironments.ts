import type { CollectionOptions } from '@nocobase/database';

/** What is remembered of an environment while it is away, and what the operator decided about it. */
export default {
  name: 'appEnvironments',
  autoGenId: false,
  fields: [
    { name: 'name', type: 'string', primaryKey: true },
    { name: 'registration', type: 'json', defaultValue: {} },
    { name: 'cordoned', type: 'boolean', defaultValue: false },
    { name: 'lastSeenAt', type: 'bigInt' },
  ],
} satisfies CollectionOptions;
