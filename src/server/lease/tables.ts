import type { CollectionOptions } from '@nocobase/database';

const FIELDS = [
  /** The process that holds it; null while none does. */
  { name: 'holder', type: 'string' },
  /** Grows with every renewal. */
  { name: 'beat', type: 'bigInt', defaultValue: 0 },
  /** Grows with every holder. */
  { name: 'term', type: 'bigInt', defaultValue: 0 },
] as const;

/** One row: which of several Supervisor processes drives operations, and the fleet's id. */
export const supervisorLeaders = {
  name: 'appSupervisorLeaders',
  autoGenId: false,
  timestamps: false,
  fields: [{ name: 'id', type: 'integer', primaryKey: true }, { name: 'fleet', type: 'string' }, ...FIELDS],
} satisfies CollectionOptions;

/** In a Worker's main database, a row for each environment: which process of it hosts. */
export const workerLeases = {
  name: 'appWorkerLeases',
  autoGenId: false,
  timestamps: false,
  fields: [{ name: 'environment', type: 'string', primaryKey: true }, ...FIELDS],
} satisfies CollectionOptions;
