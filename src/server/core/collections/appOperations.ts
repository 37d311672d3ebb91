import type { CollectionOptions } from '@nocobase/database';

/** Requested changes, each with one step an environment; kept after their end as the app's history. */
export default {
  name: 'appOperations',
  autoGenId: false,
  fields: [
    { name: 'id', type: 'string', primaryKey: true },
    { name: 'appName', type: 'string', index: true },
    { name: 'appUid', type: 'string', index: true },
    { name: 'action', type: 'string' },
    { name: 'state', type: 'string', index: true },
    { name: 'generation', type: 'bigInt' },
    { name: 'waitingFor', type: 'text' },
    { name: 'steps', type: 'json', defaultValue: [] },
    { name: 'onFailure', type: 'string', defaultValue: 'stop' },
    { name: 'createdById', type: 'string' },
    { name: 'finishedAt', type: 'bigInt' },
  ],
} satisfies CollectionOptions;
