import { describe, expect, it } from 'vitest';
import { followName, installName, mustRename } from '../../src/server/worker/hosting/own-name';

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

function settingsOf(values: Record<string, unknown>) {
  const row = {
    values,
    get: (key: string) => values[key],
    set: (changed: object) => void Object.assign(values, changed),
    update: async (changed: object) => void Object.assign(values, changed),
  };
  return { row, db: { getRepository: () => ({ findOne: async () => row }) } as never };
}

it('follows the fleet until the administrator changes it, and keeps the other options', async () => {
  const { row, db } = settingsOf({ title: 'NocoBase', options: { theme: 'dark' } });
  expect(await followName({ db }, 'CRM')).toBe(true);
  expect(row.values).toEqual({ title: 'CRM', options: { theme: 'dark', appSupervisor: { title: 'CRM' } } });
  expect(await followName({ db }, 'Sales')).toBe(true);
  expect(await followName({ db }, 'Sales')).toBe(false);
  await row.update({ title: 'Our own' });
  expect(await followName({ db }, 'CRM')).toBe(false);
  expect(row.values.title).toBe('Our own');
});

describe('an installation', () => {
  /** What NocoBase creates, with the listeners that were added before. */
  const install = (plugin: string, language: string | null) => {
    const listeners = new Map<string, (given: never) => void>();
    const on = (event: string, listener: (given: never) => void) => void listeners.set(event, listener);
    installName({ on, db: { once: on } } as never, { title: 'CRM', language });
    listeners.get('beforeInstallPlugin')?.({ getName: () => plugin } as never);
    const { row } = settingsOf({ title: 'NocoBase', appLang: 'en-US', enabledLanguages: ['en-US'], options: {} });
    listeners.get('systemSettings.beforeCreate')?.(row as never);
    return row.values;
  };

  it('has the title and the language that were entered', () => {
    const settings = { title: 'CRM', appLang: 'zh-CN', enabledLanguages: ['zh-CN'] };
    expect(install('system-settings', 'zh-CN')).toMatchObject({
      ...settings,
      options: { appSupervisor: { title: 'CRM' } },
    });
    expect(install('system-settings', null)).toMatchObject({ title: 'CRM', appLang: 'en-US' });
  });

  it('waits for the plugin of the settings', () => {
    expect(install('users', 'zh-CN')).toMatchObject({ title: 'NocoBase' });
  });
});
