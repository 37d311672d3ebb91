import type { CollectionOptions } from '@nocobase/database';
import { OPERATION } from '../../../shared/operation';
import { columnsOf } from './columns';

/** Requested changes, each with its progress by environment; kept after their end as the app's history. */
export default {
  name: 'appOperations',
  autoGenId: false,
  fields: columnsOf(OPERATION),
} satisfies CollectionOptions;
