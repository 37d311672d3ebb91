import type { CollectionOptions } from '@nocobase/database';

/**
 * Data that other plugins set on apps through this process: items of manifests, and manual assignments to conditions.
 */
export default {
  name: 'appManifests',
  autoGenId: false,
  fields: [
    { name: 'id', type: 'string', primaryKey: true },
    { name: 'item', type: 'json' },
  ],
} satisfies CollectionOptions;
