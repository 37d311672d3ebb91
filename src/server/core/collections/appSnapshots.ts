import type { CollectionOptions } from '@nocobase/database';

/** A worker's snapshot in its own main database: its desired state, and what it last applied. */
export default {
  name: 'appSnapshots',
  autoGenId: false,
  fields: [
    { name: 'name', type: 'string', primaryKey: true },
    { name: 'record', type: 'json' },
    { name: 'applied', type: 'json' },
  ],
} satisfies CollectionOptions;
