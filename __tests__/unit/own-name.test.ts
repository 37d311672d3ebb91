import { readFile } from 'node:fs/promises';
import { describe, expect, it, vi } from 'vitest';
import {
  type Appearance,
  followFleet,
  installName,
  mustChangeLogo,
  mustRename,
  OwnNames,
  pictureOf,
} from '../../src/server/worker/hosting/own-name';
import { recordedLog } from '../support/log';

describe('the title that an app shows', () => {
  it.each<[string, string | null, string | null, boolean]>([
    ['the fleet’s own is followed', 'CRM', 'CRM', true],
    ['an administrator’s is left', 'Our CRM', 'CRM', false],
    ['NocoBase’s is replaced in an app of an older release', 'NocoBase', null, true],
    ['an administrator’s is left in an app of an older release', 'Our CRM', null, false],
    ['an administrator who chose NocoBase’s keeps it', 'NocoBase', 'CRM', false],
    ['none is replaced', null, null, true],
    ['the wanted one of an administrator is left, and not taken over', 'Sales', 'CRM', false],
  ])('%s', (_, current, last, expected) => {
    expect(mustRename({ wanted: 'Sales', current, last })).toBe(expected);
  });

  it('is written once', () => {
    expect(mustRename({ wanted: 'CRM', current: 'CRM', last: 'CRM' })).toBe(false);
  });
});

describe('the logo that an app shows', () => {
  const OURS = { digest: 'a', id: 7 };
  it.each<
    [
      string,
      string,
      { id: number; title: string } | null,
      typeof OURS | { digest: string; id: null } | undefined,
      boolean,
    ]
  >([
    ['NocoBase’s is replaced', 'b', { id: 1, title: 'nocobase-logo' }, undefined, true],
    ['NocoBase’s stays without an icon', '', { id: 1, title: 'nocobase-logo' }, undefined, false],
    ['the fleet’s own is followed', 'b', { id: 7, title: 'app-logo' }, OURS, true],
    ['the fleet’s own ends with the icon', '', { id: 7, title: 'app-logo' }, OURS, true],
    ['the same is set once', 'a', { id: 7, title: 'app-logo' }, OURS, false],
    ['none comes back with an icon', 'b', null, { digest: '', id: null }, true],
    ['an administrator’s is left', 'b', { id: 9, title: 'photo' }, OURS, false],
    ['an administrator’s is left in an app of an older release', 'b', { id: 9, title: 'photo' }, undefined, false],
    ['an administrator who removed it keeps none', 'b', null, OURS, false],
  ])('%s', (_, wanted, current, last, expected) => {
    expect(mustChangeLogo({ wanted, current, last })).toBe(expected);
  });

  it('is a picture: an icon of NocoBase is none', () => {
    expect(pictureOf('data:image/png;base64,AAEC')).toEqual({ type: 'png', content: Buffer.from([0, 1, 2]) });
    expect(pictureOf('UserOutlined')).toBeNull();
    expect(pictureOf(null)).toBeNull();
  });
});

function settingsOf(values: Record<string, unknown>) {
  const row = {
    values,
    get: (key: string) => values[key],
    set: (changed: object) => void Object.assign(values, changed),
    update: async (changed: object) => void Object.assign(values, changed),
  };
  /** The rows of files that were made, and those that were removed. */
  const files: { title: string; id: number }[] = [];
  const destroyed: number[] = [];
  const app = {
    isStarted: async () => true,
    db: {
      getRepository: (name: string) =>
        name === 'systemSettings'
          ? { findOne: async () => row }
          : { destroy: async ({ filterByTk }: { filterByTk: number }) => void destroyed.push(filterByTk) },
    },
    pm: {
      get: () => ({
        createFileRecord: async ({ filePath, values }: { filePath: string; values: { title: string } }) => {
          const file = { ...values, id: files.length + 100, content: await readFile(filePath, 'base64') };
          files.push(file);
          return { get: () => file.id };
        },
      }),
    },
  };
  return { row, app: app as never, files, destroyed };
}

const called = (title: string, icon?: string | null): Appearance => ({ name: 'crm', title, icon });

it('follows the fleet’s title until the administrator changes it, and keeps the other options', async () => {
  const { row, app } = settingsOf({ title: 'NocoBase', options: { theme: 'dark' } });
  expect(await followFleet(app, called('CRM'))).toBe(true);
  expect(row.values).toEqual({ title: 'CRM', options: { theme: 'dark', appSupervisor: { title: 'CRM' } } });
  expect(await followFleet(app, called('Sales'))).toBe(true);
  expect(await followFleet(app, called('Sales'))).toBe(false);
  await row.update({ title: 'Our own' });
  expect(await followFleet(app, called('CRM'))).toBe(false);
  expect(row.values.title).toBe('Our own');
});

it('makes a file of the app of its icon, and removes the former one', async () => {
  const { row, app, files, destroyed } = settingsOf({
    title: 'CRM',
    logo: { id: 1, title: 'nocobase-logo' },
    options: {},
  });
  const shows = async () => {
    const { logoId } = row.values;
    await row.update({ logo: logoId ? { id: logoId, title: 'app-logo' } : null });
    return logoId;
  };
  expect(await followFleet(app, called('CRM', 'data:image/png;base64,AAEC'))).toBe(true);
  expect(files).toMatchObject([{ content: 'AAEC', mimetype: 'image/png', extname: '.png', title: 'app-logo' }]);
  expect([await shows(), destroyed]).toEqual([100, []]);
  expect(await followFleet(app, called('CRM', 'data:image/png;base64,AAEC'))).toBe(false);
  expect(await followFleet(app, called('CRM', 'data:image/jpeg;base64,AQID'))).toBe(true);
  expect([await shows(), destroyed]).toEqual([101, [100]]);
  expect(await followFleet(app, called('CRM', undefined))).toBe(false);
  expect(await followFleet(app, called('CRM', null))).toBe(true);
  expect([await shows(), destroyed]).toEqual([null, [100, 101]]);
});

it('dresses running apps whose title or icon has changed, and only those', async () => {
  const { row, app } = settingsOf({ title: 'NocoBase', options: {} });
  const asked: string[] = [];
  const names = new OwnNames((name) => {
    asked.push(name);
    return name === 'crm' ? app : undefined;
  }, recordedLog());
  const other = { name: 'other', title: 'Other', icon: null };
  names.follow([{ name: 'crm', title: 'CRM', icon: null }, other]);
  await vi.waitFor(() => expect(row.values.title).toBe('CRM'));
  names.follow([{ name: 'crm', title: 'Sales', icon: null }, other]);
  await vi.waitFor(() => expect(row.values.title).toBe('Sales'));
  expect(asked).toEqual(['crm', 'other', 'crm']);
});

describe('an installation', () => {
  /** What NocoBase creates, with the listeners that were added before. */
  const install = (plugin: string, language: string | null) => {
    const listeners = new Map<string, (given: never) => void>();
    const on = (event: string, listener: (given: never) => void) => void listeners.set(event, listener);
    const own = { title: 'NocoBase', appLang: 'en-US', enabledLanguages: ['en-US'] };
    const { row, app } = settingsOf({ ...own, logo: { id: 1, title: 'nocobase-logo' }, options: {} });
    installName({ on, db: { once: on, getModel: () => row } } as never, { title: 'CRM', language });
    listeners.get('beforeInstallPlugin')?.({ getName: () => plugin } as never);
    listeners.get('systemSettings.beforeCreate')?.(row as never);
    listeners.get('afterInstallPlugin')?.({ getName: () => plugin } as never);
    if (row.values.logoId === null) row.values.logo = null;
    return { values: row.values, app };
  };

  it('has the title and the language that were entered', () => {
    const settings = { title: 'CRM', appLang: 'zh-CN', enabledLanguages: ['zh-CN'] };
    expect(install('system-settings', 'zh-CN').values).toMatchObject({
      ...settings,
      options: { appSupervisor: { title: 'CRM' } },
    });
    expect(install('system-settings', null).values).toMatchObject({ title: 'CRM', appLang: 'en-US' });
  });

  it('has no logo but its own icon, whenever that comes', async () => {
    const { values, app } = install('system-settings', null);
    expect(values.logo).toBeNull();
    expect(await followFleet(app, called('CRM', null))).toBe(false);
    expect(await followFleet(app, called('CRM', 'data:image/png;base64,AAEC'))).toBe(true);
    expect(values.logoId).toBe(100);
  });

  it('waits for the plugin of the settings', () => {
    expect(install('users', 'zh-CN').values).toMatchObject({ title: 'NocoBase', logo: { id: 1 } });
  });
});
