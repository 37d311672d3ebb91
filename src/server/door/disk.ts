import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { jsonText } from '../../shared/json-text';
import { appRoute, environmentRoute, type Routes, routeSettings } from '../../shared/routes';

const TABLE = 'table.json';

const storedTable = jsonText(
  z.object({
    count: z.object({ term: z.number().int(), n: z.number().int() }),
    settings: routeSettings,
    apps: z.array(appRoute),
    environments: z.array(environmentRoute),
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
  }

  /** The table that was in force at last; null: none, or none that this release understands. */
  table(): Routes | null {
    const { data } = storedTable.safeParse(this.read(TABLE));
    if (!data) return null;
    return {
      ...data,
      apps: new Map(data.apps.map((app) => [app.uid, app])),
      environments: new Map(data.environments.map((environment) => [environment.name, environment])),
    };
  }

  /** @throws if it cannot be written */
  keep(routes: Routes): void {
    const { apps, environments } = routes;
    this.write(
      TABLE,
      JSON.stringify({ ...routes, apps: [...apps.values()], environments: [...environments.values()] }),
    );
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
    const file = path.join(this.folder, name);
    try {
      replace(file, text);
    } catch (error) {
      rmSync(`${file}.new`, { force: true });
      throw error;
    }
    this.written.set(name, text);
  }

  remove(name: string): void {
    this.written.delete(name);
    rmSync(path.join(this.folder, name), { force: true });
  }
}

function replace(file: string, text: string): void {
  const fd = openSync(`${file}.new`, 'w', 0o600);
  try {
    // A disk that is full takes a part without an error.
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  renameSync(`${file}.new`, file);
}
