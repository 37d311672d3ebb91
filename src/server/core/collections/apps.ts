import type { CollectionOptions } from '@nocobase/database';
import { APP } from '../../../shared/app';
import { columnsOf } from './columns';

/** App definitions: the desired state. docs/architecture.md explains `generation` and `placements`. */
export default {
  name: 'apps',
  autoGenId: false,
  fields: columnsOf(APP),
} satisfies CollectionOptions;
