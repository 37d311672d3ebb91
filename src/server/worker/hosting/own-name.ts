import type { Model } from '@nocobase/database';
import type { Application, Plugin } from '@nocobase/server';
import { z } from 'zod';
import type { AppRecord } from '../../../shared/messages';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import { retryWhenBusy } from '../../nocobase/busy';
import { isPlaceholderApp } from '../../nocobase/placeholder-app';

/**
 * The title and the language that an app shows on its sign-in page and in the browser's tab: its own system settings. An
 * installation has them from the start, and the title follows that of the fleet until the app's administrator changes it.
 */

/** What the fleet set last, remembered in the settings themselves. */
const remembered = z.object({ appSupervisor: z.object({ title: z.string() }) });

/** The title of every installation of NocoBase. */
const DEFAULT_TITLE = 'NocoBase';

interface Titles {
  /** As the operator entered it. */
  wanted: string;
  /** As the app shows it. */
  current: string | null;
  /** As the fleet set it last; null for an app of a release before 0.3.0, and if it was lost. */
  last: string | null;
}

/** Whether the app gets the wanted title: not if what it shows is not what the fleet or NocoBase has set. */
export function mustRename({ wanted, current, last }: Titles): boolean {
  const isOurs = last === null ? !current || current === DEFAULT_TITLE : current === last;
  return isOurs && (current !== wanted || last !== wanted);
}

/** For a new object of an app: the installation, and each start. */
export function keepName(app: Application, record: AppRecord, log: Log): void {
  installName(app, record);
  app.on('__started', () => nameApp(app, record.name, record.title, log));
}

/** Gives a running app a title, unless its administrator has changed it. Never rejects. */
export async function nameApp(app: Application | undefined, name: string, title: string, log: Log): Promise<void> {
  if (!app || isPlaceholderApp(app)) return;
  try {
    if (await retryWhenBusy(() => followName(app, title))) log.info(`App ${name}: its title was set.`, { app: name });
  } catch (error) {
    log.warn(`App ${name}: its title could not be set: ${messageOf(error)}`, { app: name });
  }
}

/** Gives an installation of the app its title and language, in the same INSERT: NocoBase's own are never shown. */
export function installName(app: Application, { title, language }: Pick<AppRecord, 'title' | 'language'>): void {
  app.on('beforeInstallPlugin', (plugin: Plugin) => {
    if (plugin.getName() !== 'system-settings') return;
    app.db.once('systemSettings.beforeCreate', (settings: Model) => {
      settings.set({ title, options: withTitle(settings, title) });
      if (language) settings.set({ appLang: language, enabledLanguages: [language] });
    });
  });
}

/**
 * Gives a running app the fleet's title, unless its administrator has changed it.
 * @returns whether it was changed
 */
export async function followName({ db }: Pick<Application, 'db'>, wanted: string): Promise<boolean> {
  const settings: Model | null = await db.getRepository('systemSettings').findOne();
  if (!settings) return false;
  const last = remembered.safeParse(settings.get('options')).data?.appSupervisor.title ?? null;
  if (!mustRename({ wanted, current: settings.get('title') as string | null, last })) return false;
  await settings.update({ title: wanted, options: withTitle(settings, wanted) });
  return true;
}

const withTitle = (settings: Model, title: string) => ({
  ...(settings.get('options') as object | null),
  appSupervisor: { title },
});
