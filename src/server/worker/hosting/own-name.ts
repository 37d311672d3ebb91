import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Model } from '@nocobase/database';
import type { Application, Plugin } from '@nocobase/server';
import { z } from 'zod';
import type { AppRecord } from '../../../shared/messages';
import { messageOf } from '../../errors';
import { KeyedQueue } from '../../keyed-queue';
import type { Log } from '../../log';
import { isPlaceholderApp } from '../../nocobase/placeholder-app';
import { retryWhenBusy } from '../../nocobase/undone';

/**
 * The title, the language and the logo that an app shows on its pages and in the browser's tab: its own system settings. An
 * installation has title and language from the start. Title and logo follow those of the fleet until the app's administrator
 * changes them.
 */

/** What the fleet set last, remembered in the settings themselves. */
const remembered = z.object({
  appSupervisor: z.object({
    title: z.string(),
    /** Of the app's icon, and the row that was made of it; absent before one was set. */
    logo: z.object({ digest: z.string(), id: z.union([z.number(), z.string()]).nullable() }).optional(),
  }),
});
type Remembered = z.infer<typeof remembered>['appSupervisor'];

/** The title of every installation of NocoBase. */
const DEFAULT_TITLE = 'NocoBase';
/** That of the row of its logo. */
const DEFAULT_LOGO = 'nocobase-logo';

/** An app as its fleet shows it. */
export interface Appearance {
  name: string;
  title: string;
  /** As a data URI or the name of an icon of NocoBase, which is no logo; undefined if it is not known here. */
  icon?: string | null;
}

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

interface Logos {
  /** Digest of the wanted picture; empty for none. */
  wanted: string;
  /** The row that the app shows; null for none. */
  current: { id: number | string; title: string } | null;
  last: Remembered['logo'];
}

/** Whether the app gets the wanted logo: not if what it shows is not what the fleet or NocoBase has set. */
export function mustChangeLogo({ wanted, current, last }: Logos): boolean {
  const isOurs = last ? (current?.id ?? null) === last.id : current?.title === DEFAULT_LOGO;
  return isOurs && wanted !== (last?.digest ?? '');
}

/** Keeps the titles and logos of the apps of this process as the fleet has them. */
export class OwnNames {
  private readonly wanted = new Map<string, Appearance>();
  private readonly changes = new KeyedQueue();

  constructor(
    private readonly appOf: (name: string) => Application | undefined,
    private readonly log: Log,
  ) {}

  /** For a new object of an app: the installation, and each start. */
  keep(app: Application, record: AppRecord): void {
    installName(app, record);
    app.on('__started', () => this.dress(app, this.wanted.get(record.name) ?? record));
  }

  /** Gives running apps what has changed. */
  follow(apps: Iterable<Appearance>): void {
    for (const app of apps) {
      const { name, title, icon } = app;
      const before = this.wanted.get(name);
      if (before?.title === title && before.icon === icon) continue;
      this.wanted.set(name, { name, title, icon });
      // Before the first answer the app was started with what its record said.
      void this.dress(this.appOf(name), app);
    }
  }

  /** Never rejects. */
  private async dress(app: Application | undefined, wanted: Appearance): Promise<void> {
    const { name } = wanted;
    if (!app || isPlaceholderApp(app) || !(await app.isStarted())) return;
    try {
      await this.changes.add(name, async () => {
        const isChanged = await retryWhenBusy(() => followFleet(app, wanted));
        if (isChanged) this.log.info(`App ${name}: its title or logo was set.`, { app: name });
      });
    } catch (error) {
      this.log.warn(`App ${name}: its title or logo could not be set: ${messageOf(error)}`, { app: name });
    }
  }
}

/**
 * Gives an installation of the app its title and language, in the same INSERT: NocoBase's own are never shown. It has no logo until it has an
 * icon: pages show the title instead. NocoBase's is a file that other environments do not have.
 */
export function installName(app: Application, { title, language }: Pick<AppRecord, 'title' | 'language'>): void {
  app.on('beforeInstallPlugin', (plugin: Plugin) => {
    if (plugin.getName() !== 'system-settings') return;
    app.db.once('systemSettings.beforeCreate', (settings: Model) => {
      settings.set({ title, options: remember(settings, { title, logo: { digest: '', id: null } }) });
      if (language) settings.set({ appLang: language, enabledLanguages: [language] });
    });
  });
  app.on('afterInstallPlugin', async (plugin: Plugin) => {
    if (plugin.getName() === 'system-settings')
      await app.db.getModel('systemSettings').update({ logoId: null }, { where: {} });
  });
}

/**
 * Gives a running app the fleet's title and logo, unless its administrator has changed them.
 * @returns whether anything was changed
 */
export async function followFleet(app: Pick<Application, 'db' | 'pm'>, wanted: Appearance): Promise<boolean> {
  const settings: Model | null = await app.db.getRepository('systemSettings').findOne({ appends: ['logo'] });
  if (!settings) return false;
  const last = remembered.safeParse(settings.get('options')).data?.appSupervisor;
  const titles = { wanted: wanted.title, current: settings.get('title') as string | null, last: last?.title ?? null };
  const isRenamed = mustRename(titles);
  const changed: Remembered = { ...last, title: isRenamed ? wanted.title : (last?.title ?? '') };
  const isRedrawn = await followLogo(app, settings, wanted.icon, changed);
  if (!isRenamed && !isRedrawn) return false;
  const values = isRedrawn ? { logoId: changed.logo?.id ?? null } : {};
  await settings.update({
    ...values,
    ...(isRenamed ? { title: wanted.title } : {}),
    options: remember(settings, changed),
  });
  if (isRedrawn && last?.logo?.id) await app.db.getRepository('attachments').destroy({ filterByTk: last.logo.id });
  return true;
}

/** @returns whether the app has another logo now, which `remembered` then names */
async function followLogo(
  app: Pick<Application, 'db' | 'pm'>,
  settings: Model,
  icon: string | null | undefined,
  remembered: Remembered,
): Promise<boolean> {
  const files = app.pm.get('file-manager') as unknown as FileManager | undefined;
  if (icon === undefined || !files) return false;
  const picture = pictureOf(icon);
  const wanted = picture ? createHash('sha256').update(picture.content).digest('base64url') : '';
  const current = settings.get('logo') as Logos['current'];
  if (!mustChangeLogo({ wanted, current, last: remembered.logo })) return false;
  remembered.logo = { digest: wanted, id: picture && (await store(files, picture)) };
  return true;
}

/** NocoBase's own plugin of files, as far as it is used. */
interface FileManager {
  createFileRecord(options: { collectionName: string; filePath: string; values: object }): Promise<Model>;
}

interface Picture {
  type: string;
  content: Buffer;
}

export function pictureOf(icon: string | null): Picture | null {
  const [, type, content] = icon?.match(/^data:image\/(png|jpeg|webp);base64,(.+)$/) ?? [];
  return type && content ? { type, content: Buffer.from(content, 'base64') } : null;
}

/** Makes a file of the app of it, where the app keeps its files. */
async function store(files: FileManager, { type, content }: Picture): Promise<number | string> {
  const extname = type === 'jpeg' ? '.jpg' : `.${type}`;
  const folder = await mkdtemp(path.join(tmpdir(), 'app-logo-'));
  try {
    const filePath = path.join(folder, `logo${extname}`);
    await writeFile(filePath, content);
    const values = { title: 'app-logo', extname, mimetype: `image/${type}` };
    return (await files.createFileRecord({ collectionName: 'attachments', filePath, values })).get('id') as number;
  } finally {
    await rm(folder, { recursive: true });
  }
}

const remember = (settings: Model, appSupervisor: Remembered) => ({
  ...(settings.get('options') as object | null),
  appSupervisor,
});
