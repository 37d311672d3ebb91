import type { CollectionOptions } from '@nocobase/database';
import { BATCH } from '../../../shared/batch';
import { columnsOf } from './columns';

/** Requests about several apps, each with the apps that it was about; kept for 30 days. */
export default {
  name: 'appBatches',
  autoGenId: false,
  timestamps: false,
  fields: columnsOf(BATCH),
} satisfies CollectionOptions;
