import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { jsonText } from '../../shared/json-text';
import { appRoute, environmentRoute, type Routes, routeSettings } from '../../shared/routes';
import type { KeptRoutes } from '../protocol/published-routes';
import { count } from '../protocol/stores/counts';

const TABLE = 'table.json';
/** How a file is named that is not whole yet. */
const NEW = '.new';

/** What another release has written is read one by one. */
const storedTable = jsonText(
  z.object({
    count,
    settings: z.unknown(),
    apps: z.array(z.unknown()).catch([]),
    environments: z.array(z.unknown()).catch([]),
    /** By field, the term and the number of the write that wrote it. */
    at: z.record(z.string(), z.tuple([z.number(), z.number()])).catch({}),
  }),
);

/**
 * The folder of a door. A file is replaced as a whole or stays as it was, also where the disk is full or the machine ends meanwhile.
 *
 * The files of HAProxy are written again whenever they differ from what they should be, so it starts by itself from what is here.
 */
export class DoorDisk {
  /** By name, the text that is known to be there. */
  private readonly written = new Map<string, string>();

  /** @throws if the folder cannot be made */
  constructor(readonly folder: string) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // Of a process that was killed.
    for (const name of this.list('.')) if (name.endsWith(NEW)) this.remove(name);
  }

  /** The table that was in force at last, as far as this release understands it; null: there is none. */
  table(): KeptRoutes | null {
    const { data } = storedTable.safeParse(this.read(TABLE));
    if (!data) return null;
    const { count } = data;
    const settings = routeSettings.safeParse(data.settings).data;
    const apps = data.apps.flatMap((app) => appRoute.safeParse(app).data ?? []);
    const environments = data.environments.flatMap((one) => environmentRoute.safeParse(one).data ?? []);
    return {
      count,
      at: new Map(Object.entries(data.at).map(([field, [term, n]]) => [field, { term, n }])),
      routes: settings
        ? {
            count,
            settings,
            apps: new Map(apps.map((app) => [app.uid, app])),
            environments: new Map(environments.map((environment) => [environment.name, environment])),
          }
        : null,
    };
  }

  /**
   * @param at by field, the count of the write that wrote it
   * @throws if it cannot be written
   */
  keep(routes: Routes, at: KeptRoutes['at']): void {
    const { apps, environments } = routes;
    const table = {
      ...routes,
      apps: [...apps.values()],
      environments: [...environments.values()],
      at: Object.fromEntries([...at].map(([field, { term, n }]) => [field, [term, n]])),
    };
    this.write(TABLE, JSON.stringify(table));
  }

  /** Names of the files in a folder of it; empty if there is none. */
  list(folder: string): string[] {
    try {
      return readdirSync(path.join(this.folder, folder)).sort();
    } catch {
      return [];
    }
  }

  /** Null if there is none. */
  read(name: string): string | null {
    try {
      return readFileSync(path.join(this.folder, name), 'utf8');
    } catch {
      return null;
    }
  }

  /** @throws if it cannot be written: the former text is still there */
  write(name: string, text: string): void {
    if (this.written.get(name) === text) return;
    // Beside no certificate: HAProxy reads all files of their folder.
    const made = path.join(this.folder, name.replaceAll('/', '.') + NEW);
    const file = path.join(this.folder, name);
    try {
      make(made, text);
      mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
      renameSync(made, file);
    } catch (error) {
      rmSync(made, { force: true });
      throw error;
    }
    this.written.set(name, text);
  }

  remove(name: string): void {
    this.written.delete(name);
    rmSync(path.join(this.folder, name), { force: true });
  }
}

function make(file: string, text: string): void {
  const fd = openSync(file, 'w', 0o600);
  try {
    // A disk that is full takes a part without an error.
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
