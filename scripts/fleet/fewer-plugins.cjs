/**
 * Loaded into a NocoBase process by instance-env.cjs if FLEET_WITHOUT names built-in plugins of NocoBase, separated by commas:
 * they are left out, as if this NocoBase had come without them.
 */
const packages = require('@nocobase/utils/plugin-package');

const without = process.env.FLEET_WITHOUT?.split(',') ?? [];
const read = packages.getPresetNocoBasePackageJson;
packages.getPresetNocoBasePackageJson = async (...options) => {
  const preset = await read(...options);
  return preset && { ...preset, builtIn: preset.builtIn?.filter((name) => !without.includes(name)) };
};
