/**
 * Preloaded into a NocoBase process (instance-env.cjs): code of packages that V8 has compiled before is read from a file.
 * NocoBase loads 7,000 files at each start, which takes a quarter less of the processor this way. Without the file nothing
 * changes. compile.cjs writes it; Node 22 has `module.enableCompileCache()` for all of this, Node 20 does not.
 *
 * Code is found by its content, so a file that has changed since is compiled as ever. V8 refuses what another version or
 * other flags have compiled.
 */
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const Module = require('node:module');
const path = require('node:path');
const vm = require('node:vm');

const ROOT = path.join(__dirname, '../..');
const packages = createHash('sha1')
  .update(fs.readFileSync(path.join(ROOT, 'package-lock.json')))
  .digest('hex');
/** Of these packages and this Node. */
const FILE = path.join(ROOT, `.fleet/compiled/${process.version}-${process.arch}-${packages.slice(0, 12)}`);

/**
 * The file begins with the length of its index, which says where each piece begins and ends.
 *
 * @param {string} file
 * @returns {Map<string, Buffer>} compiled code by the hash of its text
 */
function read(file) {
  const bytes = fs.readFileSync(file);
  const end = 4 + bytes.readUInt32LE(0);
  const index = Object.entries(JSON.parse(bytes.toString('utf8', 4, end)));
  return new Map(index.map(([hash, [from, to]]) => [hash, bytes.subarray(end + from, end + to)]));
}

/**
 * @param {string} file
 * @param {Map<string, vm.Script>} scripts by the hash of their text
 */
function write(file, scripts) {
  let length = 0;
  const pieces = [...scripts].map(([hash, script]) => ({ hash, piece: script.createCachedData() }));
  const index = pieces.map(({ hash, piece }) => {
    const from = length;
    length += piece.length;
    return [hash, [from, length]];
  });
  const head = Buffer.from(JSON.stringify(Object.fromEntries(index)));
  const size = Buffer.alloc(4);
  size.writeUInt32LE(head.length);
  // What other packages and another Node had is not used again.
  fs.rmSync(path.dirname(file), { recursive: true, force: true });
  fs.mkdirSync(path.dirname(file), { recursive: true });
  // Whole, or not at all.
  fs.writeFileSync(`${file}.new`, Buffer.concat([size, head, ...pieces.map(({ piece }) => piece)]));
  fs.renameSync(`${file}.new`, file);
}

/** In code that was compiled before, `import()` throws. */
const IMPORTS = /\bimport\b[^'"`;]{0,100}\(/;

/**
 * Has modules compiled by `script` unless it answers nothing.
 *
 * @param {(hash: string, make: (cachedData?: Buffer) => vm.Script) => vm.Script | undefined} scriptOf
 */
function compileWith(scriptOf) {
  const compile = Module.prototype._compile;
  Module.prototype._compile = function (content, filename, ...rest) {
    if (IMPORTS.test(content)) return compile.call(this, content, filename, ...rest);
    const hash = createHash('sha1').update(content).digest('base64');
    const script = scriptOf(hash, (cachedData) => {
      // So that columns in stack traces are those of the file.
      const columnOffset = -Module.wrapper[0].length;
      return new vm.Script(Module.wrap(content), { filename, columnOffset, cachedData });
    });
    if (!script) return compile.call(this, content, filename, ...rest);
    const { exports } = this;
    const run = script.runInThisContext();
    return run.call(exports, exports, requireOf(this), this, filename, path.dirname(filename));
  };
}

/** As Node makes it for each module. */
function requireOf(module) {
  const require = (id) => module.require(id);
  require.resolve = (request, options) => Module._resolveFilename(request, module, false, options);
  require.resolve.paths = (request) => Module._resolveLookupPaths(request, module);
  require.main = process.mainModule;
  require.extensions = Module._extensions;
  require.cache = Module._cache;
  return require;
}

/** Takes what is in the file. */
exports.use = (file = FILE) => {
  if (!fs.existsSync(file)) return;
  const pieces = read(file);
  compileWith((hash, make) => {
    const piece = pieces.get(hash);
    if (!piece) return;
    const script = make(piece);
    return script.cachedDataRejected ? undefined : script;
  });
};

/** Whether there is something to write. */
exports.isWanted = () => !fs.existsSync(FILE);

/** Notes what is compiled from now on. @returns a function that writes it, and deletes what else is in the folder */
exports.record = (file = FILE) => {
  /** @type {Map<string, vm.Script>} */
  const scripts = new Map();
  compileWith((hash, make) => {
    try {
      const script = make();
      scripts.set(hash, script);
      return script;
    } catch {
      // A module of the other kind, or an error that Node explains.
    }
  });
  return () => write(file, scripts);
};
