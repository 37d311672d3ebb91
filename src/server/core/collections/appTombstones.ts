import type { CollectionOptions } from '@nocobase/database';

/**
 * Deleted apps, until every environment that had them has confirmed or was forgotten; those whose data were kept for 30 days more, so
 * that they can be restored.
 */
export default {
  name: 'appTombstones',
  autoGenId: false,
  fields: [
    { name: 'uid', type: 'string', primaryKey: true },
    { name: 'name', type: 'string', index: true },
    { name: 'definition', type: 'json' },
    { name: 'environments', type: 'json', defaultValue: [] },
    { name: 'data', type: 'string', defaultValue: 'keep' },
    /** When nothing was left to be done, in ms since 1970; null before that. */
    { name: 'endedAt', type: 'bigInt' },
  ],
} satisfies CollectionOptions;
