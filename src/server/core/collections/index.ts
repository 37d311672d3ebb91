import type { CollectionOptions } from '@nocobase/database';
import { supervisorLeaders, workerLeases } from '../../lease/tables';
import appBatches from './appBatches';
import appEnvironments from './appEnvironments';
import appEvents from './appEvents';
import appMainSecrets from './appMainSecrets';
import appManifests from './appManifests';
import appNotifiers from './appNotifiers';
import appOperations from './appOperations';
import appSnapshots from './appSnapshots';
import appSsoEnds from './appSsoEnds';
import apps from './apps';
import appTombstones from './appTombstones';
import appViews from './appViews';

/** Tables of every main app, whatever its role; a sub-app gets none. One file for each table; leases are alike. */
export const collections: CollectionOptions[] = [
  apps,
  appEnvironments,
  appOperations,
  appBatches,
  appEvents,
  appNotifiers,
  appViews,
  appTombstones,
  supervisorLeaders,
  workerLeases,
  appSnapshots,
  appManifests,
  appSsoEnds,
  appMainSecrets,
].map((collection) => ({
  ...collection,
  // Hidden from workflows for user tables: users must not edit these, export them with their data, or see them in a
  // picker.
  hidden: true,
  dumpRules: 'required',
  shared: false,
}));
