import type { Application } from '@nocobase/server';
import type { HostConfig } from '../../../config/core-settings';
import type { GuardConfig } from '../../../config/guards';
import { AppSupervisorError, messageOf } from '../../../errors';
import { bringLogo } from '../../files/default-logo';
import { uploadsOf } from '../../files/file-addresses';
import { isMoved, type MoveOptions, moveFormerUploads } from '../../files/moved-uploads';
import { runsCommands } from '../actions';
import { type Guard, guardPlugin, type Replacement } from '../guard';
import { localFilesOf, namesFile } from './rows';
import { serveFiles } from './serve-file';
import { type Confinement, confinedLocal, ownRequests, type StorageClass, s3WithOwnKeys } from './storage-types';

/** NocoBase's file manager, as far as it is confined. */
interface FileManager {
  storageTypes: {
    options: { override: boolean };
    get(type: string): StorageClass | undefined;
    getKeys(): Iterable<string>;
    register(type: string, Type: StorageClass): void;
  };
}

const CONFINED = Symbol('confined by App Supervisor');

/**
 * Uploads of an app are in a folder of its own, and served to its own users alone.
 *
 * @param main the main app of this instance, whose files stay in the folder that all shared
 */
export const files = (host: HostConfig, { storageRoots }: GuardConfig, main: () => Application | null): Guard => ({
  beforeLoad: (app) =>
    app.on('afterStart', async () => {
      await moveUploads(app, host.storagePath, storageRoots, main);
      // The app runs without it, too.
      await bringLogo(app, host).catch((error) =>
        app.logger.warn(`App ${app.name}: NocoBase's logo could not be written: ${messageOf(error)}`),
      );
    }),
  afterLoad: (app) => {
    confineTypes(app, host);
    app.use(serveFiles(app.name, host) as never, {
      tag: 'appSupervisorFiles',
      before: ['fileAccess', 'legacyFileAccess'],
      after: 'dataWrapping',
    });
    confineBackups(app, host);
  },
});

function confineTypes(app: Application, { storagePath, publicPath }: HostConfig): void {
  const manager = app.pm.get('file-manager') as unknown as FileManager | undefined;
  if (!manager) return;
  const confinement: Confinement = { app: app.name, storagePath, publicPath };
  const { storageTypes } = manager;
  // Otherwise a second registration of a type fails, also the one of the plugin itself when the app is loaded again.
  storageTypes.options = { ...storageTypes.options, override: true };
  for (const type of [...storageTypes.getKeys()]) {
    const Type = storageTypes.get(type);
    if (!Type || CONFINED in Type) continue;
    const confined = confinedType(type, Type, confinement);
    storageTypes.register(type, Object.assign(confined, { [CONFINED]: true }));
  }
  if (!storageTypes.get('local')) throw new AppSupervisorError('GUARD_MISSING', { what: 'local storage' });
}

function confinedType(type: string, Type: StorageClass, confinement: Confinement): StorageClass {
  if (type === 'local') return confinedLocal(Type, confinement);
  return ownRequests(type === 's3' ? s3WithOwnKeys(Type) : Type);
}

/** The backup plugin reads and writes the shared folder, unless its managers are told another one. */
function confineBackups(app: Application, host: HostConfig): void {
  const confined =
    (refuse: (db: Application['db']) => unknown): Replacement =>
    async (original, args, owner, self) => {
      const { db } = owner as Application;
      if (runsCommands(String(db.options.dialect))) await refuse(db);
      Object.assign(self, { uploadDir: uploadsOf(host.storagePath, owner.name) });
      return original(...args);
    };
  const refuseRestore = () => {
    throw new AppSupervisorError('RESTORE_BY_OPERATOR');
  };
  const backups = ['backups', 'managers/backup', 'BackupManager'] as const;
  const restores = ['backups', 'managers/restore', 'RestoreManager'] as const;
  guardPlugin(
    app,
    host,
    backups,
    ['createBackupName'],
    confined(() => undefined),
  );
  guardPlugin(app, host, backups, ['backup'], confined(refuseFederated));
  guardPlugin(app, host, restores, ['restore', 'restoreCLI'], confined(refuseRestore));
}

/**
 * Where tables of the engine FEDERATED can be made: a backup puts their names into the command line of a shell, and the app's
 * administrator chooses them by SQL.
 */
async function refuseFederated({ sequelize }: Application['db']): Promise<void> {
  const [rows] = await sequelize.query(
    "SELECT SUPPORT AS support FROM information_schema.ENGINES WHERE ENGINE = 'FEDERATED'",
  );
  const isThere = (rows as { support: string }[]).some(({ support }) => support === 'YES' || support === 'DEFAULT');
  if (isThere) throw new AppSupervisorError('BACKUP_BY_OPERATOR');
}

async function moveUploads(
  app: Application,
  storagePath: string,
  storageRoots: string[],
  main: () => Application | null,
): Promise<void> {
  const mainDb = main()?.db;
  if (!mainDb || (await isMoved(storagePath, app.name))) return;
  const options: MoveOptions = {
    storagePath,
    storageRoots,
    isOfMain: (file) => namesFile(mainDb, file.slice(file.lastIndexOf('/') + 1)),
  };
  try {
    const found = await moveFormerUploads(app.name, localFilesOf(app.db), options);
    if (found) app.logger.info(`App ${app.name}: ${found} uploads were moved to its own folder.`);
  } catch (error) {
    app.logger.error(
      `App ${app.name}: its uploads could not be moved to its own folder, and those that were not are not found: ${messageOf(error)}. The next start of the app continues.`,
    );
  }
}
