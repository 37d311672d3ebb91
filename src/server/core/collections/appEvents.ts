import type { CollectionOptions } from '@nocobase/database';
import { EVENT } from '../../../shared/event';
import { columnsOf } from './columns';

/** What happened to apps and environments; kept for 90 days. */
export default {
  name: 'appEvents',
  autoGenId: false,
  timestamps: false,
  fields: columnsOf(EVENT),
} satisfies CollectionOptions;
