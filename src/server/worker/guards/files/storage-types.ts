import path from 'node:path';
import { AppSupervisorError } from '../../../errors';
import { addressOf, isInside, subfolderOf, uploadsOf } from '../../files/file-addresses';

/** A row of `storages`, which SQL can write. */
export interface StorageRow {
  type?: unknown;
  baseUrl?: unknown;
  path?: unknown;
  options?: Record<string, unknown>;
  settings?: { requestOptions?: Record<string, unknown> };
}
interface FileRow {
  url?: string;
  path?: string;
  filename?: string;
}
/** The parts of NocoBase's storage types that are confined. */
interface StorageType {
  storage: StorageRow;
  getFileURL(file: FileRow, preview?: boolean, options?: { download?: boolean }): Promise<string>;
  getFileStream(file: FileRow, options?: unknown): Promise<unknown>;
}
export type StorageClass = new (storage: StorageRow) => StorageType;

export interface Confinement {
  app: string;
  storagePath: string;
  publicPath: string;
}

const IS_URL = /^(?:https?:)?\/\//i;

/**
 * NocoBase's local storage in the app's own folder, whatever the row says. All its methods read `this.storage`, so
 * uploads, copies, reads and deletions stay there.
 */
export function confinedLocal(Local: StorageClass, { app, storagePath, publicPath }: Confinement): StorageClass {
  const folder = uploadsOf(storagePath, app);
  return class extends Local {
    readonly subfolder: string;

    constructor(row: StorageRow) {
      const subfolder = subfolderOf(row.options?.documentRoot, storagePath);
      const folders = String(row.path ?? '').split(/[/\\]/);
      if (folders.includes('..')) throw new AppSupervisorError('STORAGE_PATH_LEAVES');
      super({ ...row, options: { ...row.options, documentRoot: path.join(folder, subfolder) } });
      this.subfolder = subfolder;
    }

    async getFileURL(file: FileRow, preview?: boolean, options: { download?: boolean } = {}): Promise<string> {
      const own = addressOf(publicPath, app, path.join(this.subfolder, file.path ?? '', file.filename ?? ''));
      // NocoBase requires an address there.
      const baseUrl = this.storage.baseUrl;
      if (IS_URL.test(String(file.url ?? '')) || IS_URL.test(String(baseUrl ?? ''))) {
        return super.getFileURL(file, preview, options);
      }
      return options.download ? `${own}?download=1` : own;
    }

    async getFileStream(file: FileRow, options?: unknown): Promise<unknown> {
      const root = path.join(folder, this.subfolder);
      if (!isInside(root, path.join(root, file.path ?? '', file.filename ?? ''))) {
        throw new AppSupervisorError('FILE_NOT_OF_APP');
      }
      return super.getFileStream(file, options);
    }
  };
}

/** Without keys of its own, the AWS SDK uses those of the host: variables, files, and the role of the machine. */
export function s3WithOwnKeys(S3: StorageClass): StorageClass {
  return class extends S3 {
    constructor(row: StorageRow) {
      const { accessKeyId, secretAccessKey } = row.options ?? {};
      if (!isText(accessKeyId) || !isText(secretAccessKey)) throw new AppSupervisorError('STORAGE_KEYS_MISSING');
      super(row);
    }
  };
}

const isText = (value: unknown): boolean => typeof value === 'string' && value !== '';

/** The options of axios that choose no other target, such as a Unix socket of the host. */
const REQUEST_OPTIONS = ['headers', 'params', 'timeout'];

/** Files of the other types are read by HTTP: at their own address only. */
export function ownRequests(Type: StorageClass): StorageClass {
  return class extends Type {
    constructor(row: StorageRow) {
      const given = Object.entries(row.settings?.requestOptions ?? {});
      const requestOptions = Object.fromEntries(given.filter(([name]) => REQUEST_OPTIONS.includes(name)));
      super(row.settings ? { ...row, settings: { ...row.settings, requestOptions } } : row);
    }
  };
}
