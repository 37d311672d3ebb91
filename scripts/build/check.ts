import { isBuiltin } from 'node:module';
import vm from 'node:vm';
import { gzipSync } from 'node:zlib';
import { CLIENT_EXTERNALS, defineName, isServerExternal, type Lane } from './allow-list';

/**
 * Checks of the bundler's output. Each of these problems would otherwise only show in a browser or in a running
 * NocoBase, as a blank admin UI or a second copy of the core.
 */

/** Maximum size of a client's entry, gzipped, in bytes. */
const ENTRY_LIMIT = 20 * 1024;

export interface ClientBundle {
  /** Text of `index.js`; null if the bundler wrote none. */
  index: string | null;
  /** Text of the other scripts, by file name. */
  chunks: Record<string, string>;
}

/** @returns one sentence for each problem; empty if both RequireJS clients can load the bundle */
export function checkClientBundle(packageName: string, lane: Lane, bundle: ClientBundle): string[] {
  if (bundle.index === null)
    return [`${lane}/index.js is missing: the client would answer "Script error" to everybody.`];
  const problems: string[] = [];
  const size = gzipSync(bundle.index).length;
  if (size > ENTRY_LIMIT)
    problems.push(
      `${lane}/index.js has ${size} bytes gzipped; every page of NocoBase loads it, so ${ENTRY_LIMIT} at most.`,
    );
  const defines = definesOf(bundle.index);
  if (defines.length !== 1)
    problems.push(`${lane}/index.js calls define() ${defines.length} times; it must do so once.`);
  for (const { name, dependencies } of defines) {
    const wanted = defineName(packageName, lane);
    if (name !== wanted)
      problems.push(`${lane}/index.js defines ${name ? `"${name}"` : 'no name'}; it must define "${wanted}".`);
    for (const id of dependencies) {
      if (!CLIENT_EXTERNALS[lane].has(id)) {
        problems.push(`${lane}/index.js depends on "${id}", which the ${lane} of NocoBase does not provide.`);
      }
    }
  }
  for (const [file, text] of Object.entries(bundle.chunks)) {
    // The bundler moves a chunk's externals into the entry's define(); a chunk that requires by itself would get
    // nothing.
    if (definesOf(text).length) problems.push(`${lane}/${file} calls define(); only index.js may.`);
    for (const id of requiredIds(text))
      problems.push(`${lane}/${file} calls require("${id}"), which a browser does not have.`);
  }
  return problems;
}

/**
 * @returns one sentence for each problem; empty if NocoBase can load the bundle and it contains no copy of a host
 * package
 */
export function checkServerBundle(text: string): string[] {
  const problems: string[] = [];
  if (!/__esModule/.test(text)) problems.push('server/index.js does not set exports.__esModule.');
  if (!/exports(\.default|\["default"\])\s*=/.test(text))
    problems.push('server/index.js does not set exports.default.');
  for (const id of requiredIds(text)) {
    if (!isBuiltin(id) && !isServerExternal(id)) {
      problems.push(`server/index.js requires "${id}" at run time, which NocoBase does not promise to have.`);
    }
  }
  return problems;
}

/** @param modules files in a bundle */
export function checkNothingOfTheHost(bundle: string, modules: string[]): string[] {
  return modules
    .filter((file) => /node_modules\/@nocobase\//.test(file))
    .map((file) => `${bundle} holds ${file}; packages of the host must stay outside.`);
}

/** Runs the script as RequireJS does, but calls no factory. */
function definesOf(script: string): Array<{ name: string | null; dependencies: string[] }> {
  const found: Array<{ name: string | null; dependencies: string[] }> = [];
  const define = (...args: unknown[]) => {
    found.push({
      name: typeof args[0] === 'string' ? args[0] : null,
      dependencies: args.filter(Array.isArray).flat().map(String),
    });
  };
  define.amd = {};
  const self: Record<string, unknown> = { define };
  self.self = self;
  self.window = self;
  vm.runInNewContext(script, self);
  return found;
}

/** @returns ids that a client's entry requires from RequireJS */
export const dependenciesOf = (script: string): string[] =>
  definesOf(script).flatMap(({ dependencies }) => dependencies);

/** @returns ids that a script requires from Node */
export function requiredIds(script: string): string[] {
  const calls = script.matchAll(/(?<![\w$.])require\(\s*["']([^"']+)["']\s*\)/g);
  return [...new Set([...calls].map(([, id]) => id))];
}
