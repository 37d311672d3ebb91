import { z } from 'zod';
import { jsonText } from '../../shared/json-text';
import { messageOf } from '../errors';
import type { DoorDisk } from './disk';
import { CERTIFICATES, CONFIGURATION, type DoorFiles, MAPS } from './rules/place';
import type { Wanted } from './wanted';

/** The files that HAProxy took last, for the next start where it refuses others. */
const ACCEPTED = 'accepted.json';
const storedFiles = jsonText(z.record(z.string(), z.string()));

/** What HAProxy reads at its start and at a reload. */
export class HAProxyFiles {
  /** The mark of what is in `ACCEPTED`. */
  private accepted = '';

  constructor(private readonly disk: DoorDisk) {}

  get folder(): string {
    return this.disk.folder;
  }

  /** @throws if they cannot be written: then HAProxy, which would read former ones, is not reloaded */
  write({ [CONFIGURATION]: configuration, ...others }: DoorFiles): void {
    try {
      for (const [name, text] of Object.entries(others)) this.disk.write(name, text);
      if (configuration === undefined) return;
      this.disk.write(CONFIGURATION, configuration);
      const certificates = this.disk.list(CERTIFICATES).map((name) => `${CERTIFICATES}/${name}`);
      for (const name of certificates) if (!(name in others)) this.disk.remove(name);
    } catch (error) {
      throw new Error(`The files of HAProxy cannot be written: ${messageOf(error)}`);
    }
  }

  /** Keeps what it has taken. @throws if it cannot be written */
  accept({ mark, files }: Wanted): void {
    if (this.accepted === mark) return;
    const others = Object.entries(files).filter(([name]) => !(name in mapsOf(files)));
    this.disk.write(ACCEPTED, JSON.stringify(Object.fromEntries(others)));
    this.accepted = mark;
  }

  /** Writes what it took last. @throws if it cannot be written */
  restore(): void {
    const accepted = storedFiles.safeParse(this.disk.read(ACCEPTED)).data;
    if (accepted) this.write(accepted);
  }
}

/** Those of them that HAProxy is told line by line, which it cannot refuse. */
export const mapsOf = (files: DoorFiles): DoorFiles =>
  Object.fromEntries(Object.values(MAPS).flatMap((name) => (name in files ? [[name, files[name]]] : [])));
