import type { CollectionOptions } from '@nocobase/database';
import appEnvironments from './appEnvironments';
import appManifests from './appManifests';
import appOperations from './appOperations';
import appSnapshots from './appSnapshots';
import appSupervisorLeaders from './appSupervisorLeaders';
import apps from './apps';
import appTombstones from './appTombstones';

/** Tables of every main app, whatever its part; a sub-app gets none. One file a table. */
export const collections: CollectionOptions[] = [
  apps,
  appEnvironments,
  appOperations,
  appTombstones,
  appSupervisorLeaders,
  appSnapshots,
  appManifests,
].map((collection) => ({
  ...collection,
  // Not for the workflow of user tables: nothing here is a user's to edit, dump with their data, or see in a picker.
  hidden: true,
  dumpRules: 'required',
  shared: false,
}));
