import path from 'node:path';
import { BannerPlugin, type Compiler, type Configuration } from '@rspack/core';
import { ROOT } from '../lib/root.mjs';
import { defineName, isServerExternal, type Lane } from './allow-list';

/** The folders of source and bundles, and the package name. */
export interface Target {
  packageName: string;
  /** Folder with `src`. */
  source: string;
  /** The `dist` folder. */
  dist: string;
  /** For the machine on which it is built: pages are not minified, and all source maps refer to the sources. */
  dev?: boolean;
}

const swc = (target: string, jsx: boolean) => ({
  test: /\.[jt]sx?$/,
  exclude: /[\\/]node_modules[\\/]/,
  loader: 'builtin:swc-loader',
  type: 'javascript/auto' as const,
  options: {
    jsc: {
      parser: { syntax: 'typescript', tsx: jsx },
      target,
      transform: { react: { runtime: 'automatic' } },
    },
  },
});

/**
 * Packages that dockerode loads for what we do not do: engines by SSH, building images, and its own variables. They have binaries, and megabytes. An
 * import gives an empty object.
 */
const ABSENT = Object.fromEntries(
  ['ssh2', '@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs', 'tar-fs', '@balena/dockerignore', 'split-ca'].map(
    (name) => [name, false as const],
  ),
);

/**
 * Not minified: people read the code in stack traces, and it is never sent to a browser.
 *
 * @param entries name of the file in `dist` to the source file
 */
export function serverConfig(target: Target, entries: Record<string, string>): Configuration {
  return {
    name: 'server',
    mode: 'production',
    context: ROOT,
    target: 'node20',
    // Without the sources, for stack traces: `node --enable-source-maps`.
    devtool: target.dev ? 'source-map' : 'nosources-source-map',
    entry: entries,
    output: {
      path: target.dist,
      filename: '[name].js',
      devtoolModuleFilenameTemplate: sourceNames(target),
      // Written as `exports.default = …` and `exports.__esModule`, without which the core mistakes the module for the
      // class.
      library: { type: 'commonjs-static' },
      chunkLoading: false,
    },
    optimization: { minimize: false, splitChunks: false },
    resolve: { extensions: ['.ts', '.js', '.json'], alias: ABSENT },
    module: {
      rules: [swc('es2022', false), { test: /\.lua$/, type: 'asset/source' }],
      // One file: a dynamic import is evaluated when it is reached, but not fetched.
      parser: { javascript: { dynamicImportMode: 'eager' } },
    },
    plugins: [
      { apply: surviveLockdown },
      // A program of the package (package.json, `bin`).
      new BannerPlugin({ banner: '#!/usr/bin/env node', raw: true, include: /nocobase-door\.js$/ }),
    ],
    externals: [
      ({ request }, done) => (isServerExternal(request ?? '') ? done(undefined, `commonjs ${request}`) : done()),
    ],
    ignoreWarnings: [/Can't resolve 'supports-color'/],
  };
}

/**
 * The core freezes the built-ins after its start (SES lockdown). From then on an ordinary object cannot get a key
 * `constructor`, which the bundler's helper for `import()` of a CommonJS package sets if the package exports an
 * instance, as `pg` does.
 */
function surviveLockdown(compiler: Compiler): void {
  compiler.hooks.compilation.tap('SurviveLockdown', (compilation) => {
    compilation.hooks.runtimeModule.tap('SurviveLockdown', (module) => {
      if (module.name !== 'create_fake_namespace_object') return;
      const { source } = module as unknown as { source: { source: Buffer } };
      const text = source.source.toString();
      const mended = text.replace('var def = {};', 'var def = Object.create(null);');
      if (mended === text) throw new Error('The bundler writes its helper for import() in another way now.');
      source.source = Buffer.from(mended);
    });
  });
}

/** @param entry path of the lane's source file */
export function clientConfig(target: Target, lane: Lane, entry: string): Configuration {
  return {
    name: lane,
    mode: 'production',
    context: ROOT,
    target: ['web', 'es2020'],
    devtool: target.dev ? 'source-map' : false,
    entry: [`data:text/javascript,${encodeURIComponent(publicPathOf(target.packageName, lane))}`, entry],
    output: {
      path: path.join(target.dist, lane),
      filename: 'index.js',
      devtoolModuleFilenameTemplate: sourceNames(target),
      chunkFilename: '[name].[contenthash].js',
      publicPath: '',
      globalObject: 'self',
      uniqueName: `${target.packageName}/${lane}`,
      library: { name: defineName(target.packageName, lane), type: 'umd', umdNamedDefine: true },
    },
    resolve: { extensions: ['.tsx', '.ts', '.js', '.json'] },
    module: { rules: [swc('es2020', true), { test: /\.(png|jpe?g|gif|svg)$/i, type: 'asset' }] },
    // Every package is left to the host, so that one outside the allow-list fails the check instead of being bundled
    // too.
    externalsType: 'umd',
    externals: [({ request }, done) => (isPackage(request ?? '') ? done(undefined, request) : done())],
    performance: { hints: false },
    optimization: { minimize: !target.dev },
  };
}

/** File names in source maps; the published ones must not show where they were built. */
const sourceNames = ({ dev }: Target) => (dev ? '[absolute-resource-path]' : '[resource-path]');

const isPackage = (request: string) => !/^(\.|\/|data:|[A-Za-z]:\\)/.test(request);

/**
 * RequireJS calls the factory after the script has run, when `document.currentScript` is null, so the bundler's own way
 * to find its chunks fails; the host's globals contain the path.
 */
function publicPathOf(packageName: string, lane: Lane): string {
  return `
var root = window.__webpack_public_path__ || window.__nocobase_public_path__ || '/';
var seg = String(window.__nocobase_modern_client_prefix__ || 'v').split('/').join('');
if (!window.__webpack_public_path__ && root.endsWith('/' + seg + '/')) root = root.slice(0, -seg.length - 1);
if (!root.endsWith('/')) root += '/';
__webpack_public_path__ = root + 'static/plugins/${packageName}/dist/${lane}/';`;
}
