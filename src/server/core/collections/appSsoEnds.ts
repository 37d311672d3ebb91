import type { CollectionOptions } from '@nocobase/database';

/** When the sign-ins to apps of users of the main app last ended, for 90 days. */
export default {
  name: 'appSsoEnds',
  autoGenId: false,
  timestamps: false,
  fields: [
    { name: 'user', type: 'string', primaryKey: true },
    /** In ms since 1970. */
    { name: 'at', type: 'bigInt', index: true },
  ],
} satisfies CollectionOptions;
