import type { CollectionOptions } from '@nocobase/database';

/** What was said of apps through this process: items of manifests, and which app belongs to a condition by hand. */
export default {
  name: 'appManifests',
  autoGenId: false,
  fields: [
    { name: 'id', type: 'string', primaryKey: true },
    { name: 'item', type: 'json' },
  ],
} satisfies CollectionOptions;
