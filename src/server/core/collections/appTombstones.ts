import type { CollectionOptions } from '@nocobase/database';

/** Deleted apps, until every environment that had them has confirmed or was forgotten. */
export default {
  name: 'appTombstones',
  autoGenId: false,
  fields: [
    { name: 'uid', type: 'string', primaryKey: true },
    { name: 'name', type: 'string', index: true },
    { name: 'definition', type: 'json' },
    { name: 'environments', type: 'json', defaultValue: [] },
    { name: 'data', type: 'string', defaultValue: 'keep' },
  ],
} satisfies CollectionOptions;
