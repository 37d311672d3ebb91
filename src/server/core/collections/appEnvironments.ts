import type { CollectionOptions } from '@nocobase/database';
import { ENVIRONMENT } from '../../../shared/environment';
import { columnsOf } from './columns';

/** What is remembered of an environment while it is away, and what the operator decided about it. */
export default {
  name: 'appEnvironments',
  autoGenId: false,
  fields: columnsOf(ENVIRONMENT),
} satisfies CollectionOptions;
