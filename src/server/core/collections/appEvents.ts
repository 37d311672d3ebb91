import type { CollectionOptions } from '@nocobase/database';
import { EVENT } from '../../../shared/event';
import { NOTIFIERS } from '../../../shared/notice';
import { toldColumn } from '../../supervisor/definitions/event-store';
import { columnsOf } from './columns';

/** What happened to apps and environments; kept for 90 days. */
export default {
  name: 'appEvents',
  autoGenId: false,
  timestamps: false,
  fields: [
    ...columnsOf(EVENT),
    /** What each notifier has told of it (supervisor/notices/deliveries.ts); null before that. */
    ...NOTIFIERS.map((id) => ({ name: toldColumn(id), type: 'string' as const })),
  ],
} satisfies CollectionOptions;
