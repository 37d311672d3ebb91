import { AppSupervisorError } from '../../errors';
import { type Guard, guardMethod } from './guard';

/**
 * Methods that add a package to `node_modules`, remove one, or query a registry. Every app of the process uses the same
 * folder.
 */
const METHODS = [
  'addViaCLI',
  'pull',
  'addByNpm',
  'addByFile',
  'addByCompressedFileUrl',
  'update',
  'upgradeByNpm',
  'upgradeByCompressedFileUrl',
  'remove',
  'create',
  'getNpmVersionList',
];

/** An app may enable and disable what the operator installed. */
export const plugins: Guard = {
  beforeLoad: ({ pm }) => {
    for (const method of METHODS) {
      guardMethod(Object.getPrototypeOf(pm), method, async () => {
        throw new AppSupervisorError('PLUGINS_BY_OPERATOR');
      });
    }
  },
};
