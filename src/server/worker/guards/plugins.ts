import { AppSupervisorError } from '../../errors';
import { type Guard, guardMethod } from './guard';

/** What brings a package into `node_modules`, takes one out, or asks a registry. Every app of the process has the same folder. */
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

/** Enabling and disabling what the operator installed is the app's own business. */
export const plugins: Guard = {
  beforeLoad: ({ pm }) => {
    for (const method of METHODS) {
      guardMethod(Object.getPrototypeOf(pm), method, async () => {
        throw new AppSupervisorError('PLUGINS_BY_OPERATOR');
      });
    }
  },
};
