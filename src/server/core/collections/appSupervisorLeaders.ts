import type { CollectionOptions } from '@nocobase/database';

/** One row: which of several Supervisor processes drives operations, and the fleet's id. */
export default {
  name: 'appSupervisorLeaders',
  autoGenId: false,
  timestamps: false,
  fields: [
    { name: 'id', type: 'integer', primaryKey: true },
    { name: 'fleet', type: 'string' },
    { name: 'holder', type: 'string' },
    { name: 'beat', type: 'bigInt', defaultValue: 0 },
    /** Grows with every change of the holder. */
    { name: 'term', type: 'bigInt', defaultValue: 0 },
  ],
} satisfies CollectionOptions;
