import type { CollectionOptions } from '@nocobase/database';

/** One row: the JWT secret of the main app, which all Supervisors of a fleet share, sealed (core/main-secret.ts). */
export default {
  name: 'appMainSecrets',
  autoGenId: false,
  timestamps: false,
  fields: [
    { name: 'id', type: 'integer', primaryKey: true },
    { name: 'secret', type: 'text' },
  ],
} satisfies CollectionOptions;
