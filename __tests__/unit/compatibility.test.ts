import fs from 'node:fs';
import path from 'node:path';
import semver from 'semver';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../scripts/lib/root.mjs';
import { appFindings, disagreement, environmentFindings } from '../../src/server/supervisor/fleet/compatibility';
import { isSupported, namesPortals, notSupported } from '../../src/shared/nocobase-releases';
import { registrationOf } from '../support/fixtures';

const supervisor = {
  appVersion: '2.2.15',
  plugins: new Map<string, string | null>([
    ['acl', '2.2.15'],
    ['ledger', '1.0.0'],
    ['gone', null],
  ]),
};
const environment = (appVersion: string, ...plugins: string[]) => registrationOf('env_a', { appVersion, plugins });
const found = (appVersion: string, ...plugins: string[]) =>
  environmentFindings(environment(appVersion, ...plugins), supervisor).map(({ error, refuses }) => [
    error.code,
    refuses,
  ]);

describe('an environment compared with its Supervisor', () => {
  it.each<[string, string[], Array<[string, boolean]>]>([
    ['2.2.15', ['acl@2.2.15', 'ledger@1.0.0'], []],
    ['2.2.14', ['acl@2.2.14'], [['PATCH_DIFFERS', false]]],
    ['2.2.16', ['acl@2.2.16'], [['PATCH_DIFFERS', false]]],
    ['2.3.0', ['acl@2.3.0'], [['VERSION_DIFFERS', true]]],
    ['2.1.99', ['acl@2.1.99'], [['VERSION_DIFFERS', true]]],
    ['3.2.15', ['acl@3.2.15'], [['VERSION_DIFFERS', true]]],
    ['2.2.15', ['gone@1.0.0'], [['PLUGINS_MISSING', true]]],
    ['2.2.15', ['ledger@2.0.0'], [['PLUGINS_DIFFER', false]]],
    ['2.2.15', ['never-looked-for@1.0.0'], []],
    [
      '2.3.0',
      ['acl@2.3.0', 'gone@1.0.0', 'ledger@2.0.0'],
      [
        ['VERSION_DIFFERS', true],
        ['PLUGINS_MISSING', true],
        ['PLUGINS_DIFFER', false],
      ],
    ],
  ])('NocoBase %s with %j: %j', (appVersion, plugins, expected) => {
    expect(found(appVersion, ...plugins)).toEqual(expected);
  });

  it('names the plugins, but not all of them', () => {
    const names = Array.from({ length: 7 }, (_, index) => `gone-${index}`);
    const none = { ...supervisor, plugins: new Map(names.map((name) => [name, null])) };
    const [{ error }] = environmentFindings(environment('2.2.15', ...names.map((name) => `${name}@1.0.0`)), none);
    expect(error.message).toContain('gone-0 1.0.0, gone-1 1.0.0, gone-2 1.0.0, gone-3 1.0.0, gone-4 1.0.0, …');
  });
});

describe('an app’s own plugins', () => {
  const plugin = (name: string, version: string, installed = true) => ({ name, version, installed });
  it.each([
    [plugin('ledger', '1.0.0'), []],
    [plugin('ledger', '2.0.0'), ['PLUGINS_DIFFER']],
    [plugin('acl', '2.2.15'), []],
    [plugin('gone', '1.0.0'), ['PLUGINS_MISSING']],
    [plugin('ledger', '1.0.0', false), ['PLUGINS_ABSENT']],
    [plugin('gone', '1.0.0', false), ['PLUGINS_ABSENT']],
  ])('%j: %j', (own, codes) => {
    expect(appFindings('crm', 'env_a', [own], supervisor).map(({ code }) => code)).toEqual(codes);
  });
});

describe('two environments of one app', () => {
  const other = (appVersion: string, ...plugins: string[]) => registrationOf('env_b', { appVersion, plugins });
  it.each([
    ['2.2.15', ['acl@2.2.15'], null],
    ['2.2.16', ['acl@2.2.15'], 'NocoBase is 2.2.15 in the first and 2.2.16 in the second'],
    ['2.2.15', ['acl@2.2.16'], 'acl is 2.2.15 in the first and 2.2.16 in the second'],
    ['2.2.15', [], 'acl is 2.2.15 in the first and - in the second'],
    ['2.2.15', ['acl@2.2.15', 'ledger@1.0.0'], 'ledger is - in the first and 1.0.0 in the second'],
  ])('%s with %j: %s', (appVersion, plugins, words) => {
    const error = disagreement(environment('2.2.15', 'acl@2.2.15'), other(appVersion, ...plugins));
    if (words === null) expect(error).toBeNull();
    else expect(error).toMatchObject({ code: 'ENVIRONMENTS_DIFFER', message: expect.stringContaining(words) });
  });
});

describe('a release of NocoBase', () => {
  it.each([
    ['2.2.0', true],
    ['2.2.15', true],
    ['2.2.0-alpha.12', true],
    ['2.3.0-beta.3', true],
    ['2.3.9', true],
    ['2.1.40', false],
    ['2.20.0', false],
    ['2.4.0-beta.1', false],
    ['2.4.0', false],
    ['3.0.0-alpha.10', false],
    ['1.9.0', false],
  ])('%s is supported: %s, as the package says', (version, expected) => {
    expect(isSupported(version)).toBe(expected);
    const { nocobase, peerDependencies } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package.json'), 'utf8'));
    for (const range of [nocobase.supportedVersions.join(' || '), ...Object.values<string>(peerDependencies)])
      for (const includePrerelease of [true, false])
        expect(semver.satisfies(version, range, { includePrerelease }), range).toBe(expected);
  });

  it('that is not supported is refused in words', () => {
    expect(notSupported('3.0.1')).toMatch(/supports NocoBase 2\.2 and 2\.3, and this is NocoBase 3\.0\.1/);
  });

  it.each([
    ['2.3.9', false],
    ['3.0.0-alpha.1', true],
    ['10.0.0', true],
  ])('%s takes the app from the address of a portal: %s', (version, expected) => {
    expect(namesPortals(version)).toBe(expected);
  });
});
