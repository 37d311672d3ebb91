/**
 * Loaded into a NocoBase process by instance-env.cjs for `npm run dev`. The core reads a plugin's texts, and the build
 * time of its pages, once in a process; here again when they have changed. FLEET_DEV is the plugin's name.
 */
const fs = require('node:fs');
const path = require('node:path');

// The core is first loaded in its own order, and starts its apps after that.
setImmediate(() => {
  readAddressesAgain(require('@nocobase/server/lib/plugin-manager/options/resource').PackageUrls);
  readTextsAgain(require('@nocobase/server/lib/locale').Locale);
});
keepSourceMaps();

/** The address of pages contains a hash of their build time; a browser caches what has the same address. */
function readAddressesAgain(urls) {
  const { get } = urls;
  urls.get = function (...args) {
    this.clear();
    return get.apply(this, args);
  };
}

function readTextsAgain(locale) {
  const folder = path.join(process.env.NODE_MODULES_PATH, process.env.FLEET_DEV, 'dist/locale');
  const written = () =>
    fs
      .readdirSync(folder)
      .map((name) => fs.statSync(path.join(folder, name)).mtimeMs)
      .join();
  const seen = new WeakMap();
  const { get } = locale.prototype;
  locale.prototype.get = async function (...args) {
    const now = written();
    if (seen.get(this) !== now && this.cache) await this.cache.reset();
    seen.set(this, now);
    return get.apply(this, args);
  };
}

/**
 * After its start the core freezes the built-ins, and with them the format of stack traces without source maps. Several
 * plugins contain the function that does it.
 */
function keepSourceMaps() {
  let freeze;
  Object.defineProperty(globalThis, 'lockdown', {
    configurable: true,
    get: () => freeze && ((options) => freeze({ ...options, errorTaming: 'unsafe-debug' })),
    set: (value) => {
      freeze = value;
    },
  });
}
