import { version } from '@nocobase/server/package.json';

/** The version of the NocoBase in which this plugin runs. */
export const nocobaseVersion = version;
