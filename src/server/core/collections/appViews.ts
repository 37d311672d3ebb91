import type { CollectionOptions } from '@nocobase/database';
import { VIEW } from '../../../shared/view';
import { columnsOf } from './columns';

/** What users have saved of the list of apps, each for himself. */
export default {
  name: 'appViews',
  autoGenId: false,
  timestamps: false,
  fields: columnsOf(VIEW),
} satisfies CollectionOptions;
