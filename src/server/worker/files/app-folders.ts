import { cp, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { jsonText } from '../../../shared/json-text';
import type { AppRecord } from '../../../shared/messages';
import type { Clock } from '../../clock';
import type { DatabaseConnection } from '../../databases';
import type { Log } from '../../log';
import type { Secrets } from '../../protocol/secrets';
import { readState, stateBegun, writeState } from './uploads-state';

/**
 * What an app has on the disk of its Worker, in folders that NocoBase names after the app: keys and uploads, and backups.
 * An app of the same name that comes after it, with other data, must find none of it.
 */

const OWNER_FILE = '.owner.json';

const Owner = z.object({ uid: z.string(), database: z.string() });
/** The app, and its database, which an operator may adopt for another app. */
export type Owner = z.infer<typeof Owner>;
const ownerText = jsonText(Owner);

export interface NewOwner extends Owner {
  app: string;
  /** `install`: its database is new. `adopt`: its database was there before. `none`: the app was here before, or elsewhere. */
  begins: 'install' | 'adopt' | 'none';
}

const FOLDERS = ['apps', 'backups'] as const;
/** Holds nothing that anybody needs. */
const TEMPORARY = [
  ['tmp', 'backups'],
  ['cache', 'apps'],
];

const folderOf = (storagePath: string, app: string): string => path.join(storagePath, 'apps', app);
/** No app has a name that begins with a dot. */
const formerOf = (storagePath: string, app: string): string => path.join(storagePath, 'apps', '.former', app);

/** The folders of the apps of this process, and the keys by which others give what belongs into them. */
export class OwnFolders {
  constructor(
    readonly storagePath: string,
    private readonly environment: string,
    private readonly connectionOf: (record: AppRecord) => DatabaseConnection,
    private readonly secrets: Secrets,
    private readonly clock: Clock,
    private readonly log: Log,
  ) {}

  /**
   * Makes the folders of an app its own before it boots, and notes that it begins here, if it does.
   * @param installs whether this boot makes its database
   * @throws errors of the file system
   */
  async take(record: AppRecord, installs = false): Promise<void> {
    const { storagePath, environment, clock, log } = this;
    const { name: app, uid, provision } = record;
    const { database, schema, storage } = this.connectionOf(record);
    const isNew = provision === 'create' && installs;
    const aside = await takeFolders(storagePath, {
      app,
      uid,
      // As it is named in the fleet, at whatever address its server is reached.
      database: [storage || database, schema].filter(Boolean).join('/'),
      begins: provision === 'adopt' ? 'adopt' : isNew ? 'install' : 'none',
    });
    if (aside)
      log.warn(`App ${app}: keys, uploads and backups of another app of this name are now in ${aside}.`, { app });
    // It does not begin here yet.
    if (record.uploads?.ahead) return;
    const state = await readState(storagePath, app);
    const begun = stateBegun(state, record, environment, clock.now().wall);
    if (!isDeepStrictEqual(state, begun)) await writeState(storagePath, app, begun);
  }

  /**
   * The key by which another Worker gives the uploads of this app; null if the record brings none.
   * @throws AppSupervisorError KEY_MISSING
   */
  transferKey(record: AppRecord): Buffer | null {
    const sealed = record.uploads?.key;
    return sealed ? Buffer.from(this.secrets.open(sealed, record, 'uploads'), 'base64url') : null;
  }
}

/**
 * Makes the folders of an app its own before it boots: what another app of its name left is set aside, and what belongs to
 * the database that it adopts is taken back.
 *
 * @returns where the folders of another app are now; null if there were none
 * @throws errors of the file system
 */
export async function takeFolders(storagePath: string, owner: NewOwner): Promise<string | null> {
  const { app, uid, database, begins } = owner;
  const folder = folderOf(storagePath, app);
  const found = await ownerIn(folder);
  const adopts = begins === 'adopt';
  // Releases before 0.3.0 wrote no owner.
  const isOurs = found ? found.uid === uid || (adopts && found.database === database) : begins !== 'install';
  const aside = isOurs ? null : await setAside(storagePath, app, found);
  if (adopts) await takeBack(storagePath, app, database);
  if (found?.uid === uid && found.database === database) return aside;
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, OWNER_FILE), JSON.stringify({ uid, database } satisfies Owner));
  return aside;
}

/** Deletes the folders of an app whose data were dropped. */
export async function removeFolders(storagePath: string, app: string): Promise<void> {
  for (const one of [...FOLDERS.map((name) => [name]), ...TEMPORARY])
    await rm(path.join(storagePath, ...one, app), { recursive: true, force: true });
}

/** The app to which the folders of this name belong; null: nobody is named. */
export const ownerOf = (storagePath: string, app: string): Promise<Owner | null> => ownerIn(folderOf(storagePath, app));

async function ownerIn(folder: string): Promise<Owner | null> {
  const text = await readFile(path.join(folder, OWNER_FILE), 'utf8').catch(() => '');
  return ownerText.safeParse(text).data ?? null;
}

async function setAside(storagePath: string, app: string, found: Owner | null): Promise<string | null> {
  const former = formerOf(storagePath, app);
  // A uid is never used again, but an app can be set aside again after it came back.
  const target = path.join(former, await freeName(former, found?.uid ?? 'unknown'));
  let moved = false;
  for (const name of FOLDERS) {
    const source = path.join(storagePath, name, app);
    if (!(await readdir(source).catch(() => [])).length) continue;
    await mkdir(target, { recursive: true });
    await moveAcross(source, path.join(target, name));
    moved = true;
  }
  for (const one of TEMPORARY) await rm(path.join(storagePath, ...one, app), { recursive: true, force: true });
  return moved ? target : null;
}

async function freeName(former: string, wanted: string): Promise<string> {
  const taken = await readdir(former).catch(() => [] as string[]);
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}-${number}`;
    if (!taken.includes(name)) return name;
  }
}

async function takeBack(storagePath: string, app: string, database: string): Promise<void> {
  const former = formerOf(storagePath, app);
  for (const name of await readdir(former).catch(() => [] as string[])) {
    const aside = path.join(former, name);
    const owner = await ownerIn(path.join(aside, 'apps'));
    if (owner?.database !== database) continue;
    for (const folder of FOLDERS) {
      const target = path.join(storagePath, folder, app);
      // Never over what is there.
      if ((await readdir(target).catch(() => [])).length) continue;
      await mkdir(path.dirname(target), { recursive: true });
      await moveAcross(path.join(aside, folder), target).catch(unlessMissing);
    }
    // What could not be taken back stays where it is.
    if (!(await readdir(aside)).length) await rm(aside, { recursive: true });
    return;
  }
}

/** Also to another file system: an operator may have mounted one of these folders. */
export async function moveAcross(source: string, target: string): Promise<void> {
  try {
    await rename(source, target);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error;
    // Whole or not at all, wherever this process ends.
    const copy = `${target}.copy`;
    await rm(copy, { recursive: true, force: true });
    await cp(source, copy, { recursive: true, preserveTimestamps: true });
    await rename(copy, target);
    await rm(source, { recursive: true });
  }
}

const unlessMissing = (error: NodeJS.ErrnoException) => {
  if (error.code !== 'ENOENT') throw error;
};
