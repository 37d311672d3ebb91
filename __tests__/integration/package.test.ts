import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ensureBuilt, PACKAGE_NAME, packedFiles } from '../../scripts/fleet/plugin';
import { ROOT } from '../../scripts/lib/root.mjs';
import { SUPPORTED_RANGES } from '../../src/shared/nocobase-releases';

const BUNDLED = ['dockerode', 'ioredis', 'http-proxy', 'negotiator', 'p-queue', 'proxy-addr', 'semver', 'zod'];

/** The archive as somebody unpacks it: far from this repository and its node_modules. */
let folder: string;
let files: string[];

beforeAll(async () => {
  await ensureBuilt();
  files = await packedFiles();
  folder = fs.mkdtempSync(path.join(tmpdir(), 'app-supervisor-package-'));
  for (const file of files) fs.cpSync(path.join(ROOT, file), path.join(folder, file));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

describe('the packed plugin', () => {
  it('has the files that NocoBase looks for', () => {
    expect(files).toEqual(
      expect.arrayContaining([
        'package.json',
        'LICENSE',
        'client.js',
        'client-v2.js',
        'server.js',
        'dist/server/index.js',
        'dist/client/index.js',
        'dist/client-v2/index.js',
        'dist/externalVersion.js',
        'dist/third-party-licenses.txt',
        'dist/locale/en-US.json',
        'dist/locale/zh-CN.json',
      ]),
    );
  });

  it('has no sources, for which NocoBase would check those instead of the build, and nothing else', () => {
    expect(
      files.filter((file) => !/^(dist\/[^.]|package\.json|LICENSE|README|(client|client-v2|server)\.js)/.test(file)),
    ).toEqual([]);
  });

  it('passes on the licence of every package in it, those that were merged into one module too', () => {
    const text = fs.readFileSync(path.join(folder, 'dist/third-party-licenses.txt'), 'utf8');
    const packages = [...text.matchAll(/^(\S+) \d+\.\d+\.\d+ \((?:MIT|ISC|Apache-2\.0)\)$/gm)].map(([, name]) => name);
    expect(packages).toEqual(expect.arrayContaining(BUNDLED));
    expect(packages.filter((name) => name.startsWith('@nocobase/'))).toEqual([]);
    expect(text.match(/Copyright/gi)?.length).toBeGreaterThanOrEqual(BUNDLED.length);
  });

  it('needs nothing installed but what NocoBase is', () => {
    const script = `
      const Module = require('node:module');
      const load = Module._load;
      const asked = new Set();
      // The host's packages: anything can be called, extended and read.
      const anything = new Proxy(class {}, { get: (target, key) => (key in target ? target[key] : anything) });
      Module._load = (id, ...rest) => {
        if (Module.isBuiltin(id) || id.startsWith('.') || id.startsWith('/')) return load(id, ...rest);
        asked.add(id);
        return anything;
      };
      const plugin = require(process.argv[1]);
      console.log(JSON.stringify({
        esModule: plugin.__esModule, type: typeof plugin.default, staticImport: typeof plugin.default.staticImport, asked: [...asked],
      }));
      process.exit();
    `;
    const output = execFileSync(process.execPath, ['-e', script, folder], { encoding: 'utf8', cwd: folder });
    const { asked, ...plugin } = JSON.parse(output.trim().split('\n').at(-1)!);
    expect(plugin).toEqual({ esModule: true, type: 'function', staticImport: 'function' });
    expect(asked).toContain('@nocobase/server');
    for (const bundled of BUNDLED) expect(asked).not.toContain(bundled);
    const drivers = ['pg', 'pg-native', 'mariadb', 'mysql2', 'sqlite3', 'sequelize'];
    expect(
      asked.filter((id: string) => !id.startsWith('@nocobase/') && !drivers.some((driver) => id.startsWith(driver))),
    ).toEqual([]);
  });

  it('is compatible by the core’s own table of versions', () => {
    const require = createRequire(import.meta.url);
    const semver = require('semver');
    const ranges: Record<string, string> = require('@nocobase/server/lib/plugin-manager/deps.js').default;
    const versions: Record<string, string> = require(path.join(folder, 'dist/externalVersion.js'));
    expect(Object.keys(versions)).toEqual(expect.arrayContaining(['@nocobase/server', '@nocobase/client-v2', 'react']));
    const bad = Object.entries(versions).filter(([name, version]) => {
      const range = ranges[name] ?? ranges[name.split('/')[0]];
      return range && !semver.satisfies(version, range, { includePrerelease: true });
    });
    expect(bad).toEqual([]);
  });

  it('says all that the plugin manager shows', () => {
    const manifest = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
    expect(manifest).toMatchObject({
      name: PACKAGE_NAME,
      license: 'Apache-2.0',
      main: 'dist/server/index.js',
      displayName: expect.any(String),
      'displayName.zh-CN': expect.stringMatching(/\p{Script=Han}/u),
      description: expect.any(String),
      'description.zh-CN': expect.stringMatching(/\p{Script=Han}/u),
      nocobase: { supportedVersions: SUPPORTED_RANGES, editionLevel: 0 },
    });
    // All of these are bundled. Named here so that an audit finds what is shipped.
    expect(Object.keys(manifest.dependencies).sort()).toEqual([...BUNDLED].sort());
    expect(Object.keys(manifest.peerDependencies)).toEqual(
      expect.arrayContaining(['@nocobase/server', '@nocobase/client']),
    );
  });
});
