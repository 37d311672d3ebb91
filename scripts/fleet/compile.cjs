/** Loads what each NocoBase process loads, and keeps what V8 made of it for them (compiled.cjs). */
const { createRequire } = require('node:module');
const path = require('node:path');
const { isWanted, record } = require('./compiled.cjs');

const NODE_MODULES = path.join(__dirname, '../../node_modules');
process.env.NODE_MODULES_PATH = NODE_MODULES;

async function main() {
  if (!isWanted()) return;
  const write = record();
  const load = createRequire(path.join(NODE_MODULES, '@nocobase/app/lib/index.js'));
  const { findAllPlugins, PluginManager } = load('@nocobase/server');
  const { importModule } = load('@nocobase/utils');
  for (const name of await findAllPlugins()) {
    const { packageName } = await PluginManager.parseName(name);
    // As the core does: one that cannot be loaded is left out.
    await importModule(packageName).catch(() => undefined);
  }
  write();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
