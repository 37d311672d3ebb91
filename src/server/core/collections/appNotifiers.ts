import type { CollectionOptions } from '@nocobase/database';
import { NOTIFIER } from '../../../shared/notice';
import { columnsOf } from './columns';

/** Who is notified of what happened, with what is being sent. */
export default {
  name: 'appNotifiers',
  autoGenId: false,
  timestamps: false,
  fields: columnsOf(NOTIFIER),
} satisfies CollectionOptions;
