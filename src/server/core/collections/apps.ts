import type { CollectionOptions } from '@nocobase/database';
import { APP } from '../../../shared/app';
import { columnsOf } from './columns';

/** App definitions: the truth about what should be. `generation` and `boot` as in the README's "How the fleet agrees". */
export default {
  name: 'apps',
  autoGenId: false,
  fields: columnsOf(APP),
} satisfies CollectionOptions;
