import { randomBytes } from 'node:crypto';
import vm from 'node:vm';
import { describe, expect, it } from 'vitest';
import type { Lane } from '../../scripts/build/allow-list';
import { checkClientBundle, checkNothingOfTheHost, checkServerBundle } from '../../scripts/build/check';
import { externalVersions, externalVersionsScript } from '../../scripts/build/external-versions';

const NAME = '@nocobase/plugin-app-supervisor';

/** The header that the bundler writes, shortened to its AMD branch. */
const umd = (name: string | null, dependencies: string[]) =>
  `!function(e,r){"object"==typeof exports?exports.x=r():"function"==typeof define&&define.amd?define(${
    name === null ? '' : `${JSON.stringify(name)},`
  }${JSON.stringify(dependencies)},r):e.x=r()}(self,()=>{throw new Error("the check must not call the factory")})`;

const chunk = '(self["webpackChunk"]=self["webpackChunk"]||[]).push([[335],{642(e,r,o){}}])';

const check = (lane: Lane, index: string | null, chunks: Record<string, string> = { '335.abc.js': chunk }) =>
  checkClientBundle(NAME, lane, { index, chunks });

describe('client bundles', () => {
  it('accepts what both clients can load', () => {
    expect(check('client', umd(NAME, ['react', '@nocobase/client', '@nocobase/sdk']))).toEqual([]);
    expect(check('client-v2', umd(`${NAME}/client-v2`, ['react', '@nocobase/client-v2']))).toEqual([]);
  });

  it.each([
    ['the other lane’s name', 'client', umd(`${NAME}/client-v2`, ['react']), `must define "${NAME}"`],
    ['the legacy name in the modern lane', 'client-v2', umd(NAME, ['react']), `must define "${NAME}/client-v2"`],
    ['no name', 'client', umd(null, ['react']), 'defines no name'],
    ['a package that nobody provides', 'client', umd(NAME, ['react-dom/client']), '"react-dom/client"'],
    [
      'a package of the legacy client only',
      'client-v2',
      umd(`${NAME}/client-v2`, ['@nocobase/sdk']),
      '"@nocobase/sdk"',
    ],
    ['a plugin that may be disabled', 'client', umd(NAME, ['@nocobase/plugin-users']), '"@nocobase/plugin-users"'],
    ['no define at all', 'client', 'self.x = 1', '0 times'],
    ['no file', 'client', null, 'is missing'],
    [
      'more than every page may load',
      'client',
      `${umd(NAME, ['react'])};//${randomBytes(24_000).toString('base64')}`,
      'gzipped',
    ],
  ] as const)('rejects %s', (_defect, lane, index, text) => {
    const problems = check(lane, index);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain(text);
  });

  it('rejects a chunk that calls define or require itself', () => {
    const index = umd(NAME, ['react']);
    expect(check('client', index, { '1.js': umd('other', ['react']) })).toEqual([
      expect.stringContaining('client/1.js calls define()'),
    ]);
    expect(check('client', index, { '1.js': `self.f=()=>require("antd")` })).toEqual([
      expect.stringContaining('require("antd")'),
    ]);
  });
});

describe('server bundle', () => {
  const good =
    'const a=require("node:fs"),b=require("net"),c=require("@nocobase/server"),d=require("pg");exports["default"]=1;Object.defineProperty(exports,"__esModule",{value:true});';

  it('accepts builtins, host packages and database drivers', () => {
    expect(checkServerBundle(good)).toEqual([]);
  });

  it.each([
    ['a package left outside', `${good}require("ioredis")`, '"ioredis"'],
    ['no default export', good.replace('exports["default"]', 'exports.Plugin'), 'exports.default'],
    [
      'no __esModule, for which the core takes the namespace for the class',
      good.replace('__esModule', 'other'),
      '__esModule',
    ],
  ])('rejects %s', (_defect, text, problem) => {
    expect(checkServerBundle(text)).toEqual([expect.stringContaining(problem)]);
  });

  it('rejects a copy of a host package', () => {
    const modules = [
      'src/server/index.ts',
      '/x/node_modules/ioredis/built/index.js',
      '/x/node_modules/@nocobase/utils/lib/index.js',
    ];
    expect(checkNothingOfTheHost('server', modules)).toEqual([expect.stringContaining('@nocobase/utils')]);
  });
});

describe('version list', () => {
  it('names packages of the host, but no builtins, and none that would mark the plugin as incompatible', () => {
    expect(
      Object.keys(externalVersions(['@nocobase/client', 'react/jsx-runtime', 'axios', 'buffer', 'node:fs'])),
    ).toEqual(['@nocobase/client', 'react']);
  });

  /** As the plugin manager of a NocoBase evaluates it. */
  const readIn = (installed: string | null): Record<string, string> => {
    const module = { exports: {} };
    const require = (id: string) => {
      if (installed === null || id !== '@nocobase/server/package.json') throw new Error(`Cannot find module '${id}'`);
      return { version: installed };
    };
    vm.runInNewContext(externalVersionsScript(['@nocobase/client', 'react']), { module, require });
    return module.exports;
  };

  it.each(['2.2.0', '2.2.99', '2.3.0-beta.3', '2.3.7'])('fits NocoBase %s', (installed) => {
    expect(readIn(installed)).toEqual({ '@nocobase/client': installed, react: expect.stringMatching(/^18\./) });
  });

  it.each([null, '2.1.40', '2.20.0', '2.4.0', '3.0.0-alpha.10'])(
    'names the release it was built with in %s',
    (installed) => {
      expect(readIn(installed)).toEqual(externalVersions(['@nocobase/client', 'react']));
    },
  );
});
