import type { CollectionOptions } from '@nocobase/database';
import { ENVIRONMENT } from '../../../shared/environment';
import { columnsOf } from './columns';

/** Known environments, including those that are down, and the operator's settings for them. */
export default {
  name: 'appEnvironments',
  autoGenId: false,
  fields: columnsOf(ENVIRONMENT),
} satisfies CollectionOptions;
