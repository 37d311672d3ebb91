import { describe, expect, it } from 'vitest';
import { parseConfig } from '../../src/server/config';
import { signInPage } from '../../src/server/proxy';
import { destination } from '../../src/server/proxy/visit';
import { type ClientEntryMode, clientOf, clientPath, clientPathsOf } from '../../src/shared/client-paths';

/** `APP_CLIENT_ENTRY_MODE`: to which client links lead. A browser follows them in long/browser.entry-mode. */

const pathsOf = (clientEntryMode?: ClientEntryMode) => ({ publicPath: '/', modernPrefix: 'v', clientEntryMode });

describe.each<[ClientEntryMode | undefined, Record<'unnamed' | 'legacy' | 'modern', string>]>([
  [undefined, { unnamed: '/', legacy: '/', modern: '/v/' }],
  ['legacy-default', { unnamed: '/', legacy: '/', modern: '/v/' }],
  ['modern-default', { unnamed: '/v/', legacy: '/', modern: '/v/' }],
  ['modern-only', { unnamed: '/v/', legacy: '/v/', modern: '/v/' }],
])('%s', (mode, { unnamed, legacy, modern }) => {
  const place = { ...pathsOf(mode), apiBase: '/api', isOwnHost: false };

  it('decides by the client that shows a link', () => {
    expect(clientPath(pathsOf(mode))).toBe(unnamed);
    expect(clientPath(pathsOf(mode), 'legacy')).toBe(legacy);
    expect(clientPath(pathsOf(mode), 'modern')).toBe(modern);
  });

  it('decides where a visit without a page begins, and one with a page goes there', () => {
    expect(destination({ name: 'crm' }, null, place)).toBe(`${unnamed}apps/crm/admin/`);
    expect(destination({ name: 'crm' }, null, { ...place, isOwnHost: true })).toBe(unnamed);
    expect(destination({ name: 'crm' }, '/v/apps/crm/x', place)).toBe('/v/apps/crm/x');
  });

  it('decides which sign-in page belongs to a page', () => {
    expect(signInPage('/apps/crm/x', 'crm', place)).toBe(`${legacy}apps/crm/signin?redirect=%2Fapps%2Fcrm%2Fx`);
    expect(signInPage('/v/apps/crm/x', 'crm', place)).toBe(`${modern}apps/crm/signin?redirect=%2Fv%2Fapps%2Fcrm%2Fx`);
    expect(signInPage('/x', 'crm', { ...place, isOwnHost: true })).toBe(`${legacy}signin?redirect=%2Fx`);
  });
});

it('is read as NocoBase reads it', () => {
  const modeOf = (value: string | undefined) => {
    const env = { APP_DISCOVERY_ADAPTER: 'local', APP_PROCESS_ADAPTER: 'local', APP_CLIENT_ENTRY_MODE: value };
    return parseConfig(env, { command: 'start', isMainThread: true }).host.clientEntryMode;
  };
  expect(['modern-only', ' modern-default ', 'modern', '', undefined].map(modeOf)).toEqual([
    'modern-only',
    'modern-default',
    'legacy-default',
    'legacy-default',
    'legacy-default',
  ]);
});

it('paths are compared without doubled or missing slashes', () => {
  for (const publicPath of ['/x', '/x/', 'x', '//x//'])
    expect(clientPathsOf({ publicPath, modernPrefix: '/m/' })).toMatchObject({ publicPath: '/x/', modernPrefix: 'm' });
  expect(clientPathsOf({ publicPath: '/', modernPrefix: '' })).toMatchObject({ publicPath: '/', modernPrefix: 'v' });
  expect(clientOf('/v/x', pathsOf())).toBe('modern');
  expect(clientOf('/vx', pathsOf())).toBe('legacy');
});
