import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { DoorCertificate } from '../../shared/door-report';
import { messageOf } from '../errors';
import type { Log } from '../log';
import { type CertificateText, problemAt, type ReadCertificate, readCertificate } from './certificate';
import type { DoorDisk } from './disk';
import { CERTIFICATES } from './wanted';

/** Most certificates that are looked at: as many as a report names. */
const MOST = 500;
/** What a folder of Certbot has beside the certificate with its chain. */
const BESIDE = ['cert.pem', 'chain.pem', 'privkey.pem'];

/**
 * The certificates of a folder, for HAProxy. It reads copies: one that is broken, not valid yet, or gone with all others leaves what was in
 * use before.
 */
export class Certificates {
  /** What is there, for people. */
  found: DoorCertificate[] = [];
  /** Identifies what HAProxy reads; null: nothing. */
  mark: string | null;
  /** By file. */
  private readonly known = new Map<string, { text: string; read: ReadCertificate }>();
  private isUnreadable = false;
  private complaint = '';

  /** @param folder null: this door speaks no HTTPS */
  constructor(
    private readonly folder: string | null,
    private readonly disk: DoorDisk,
    private readonly log: Log,
  ) {
    mkdirSync(path.join(disk.folder, CERTIFICATES), { recursive: true, mode: 0o700 });
    this.mark = this.markOf();
  }

  /**
   * Never throws: what cannot be read or written stays as it was.
   * @param now in ms since 1970
   * @returns whether HAProxy has to read other ones
   */
  look(now: number): boolean {
    if (this.folder === null) return false;
    const before = this.mark;
    try {
      const there = textsIn(this.folder).map((text) => this.read(text));
      this.found = there.map((each) => shown(each, problemAt(each, now)));
      this.copy(there, now);
      this.isUnreadable = false;
    } catch (error) {
      this.found = [];
      if (!this.isUnreadable) this.log.error(`Certificates cannot be read or kept: ${messageOf(error)}`);
      this.isUnreadable = true;
    }
    if (!this.found.length) this.found = this.copies().map((file) => shown(this.kept(file), 'unreadable'));
    this.complain(this.found.flatMap(({ file, problem }) => (problem ? [`${file}: ${problem}`] : [])).join(', '));
    this.mark = this.markOf();
    return this.mark !== before;
  }

  private read(text: CertificateText): ReadCertificate {
    const content = `${text.certificate}\n${text.key}`;
    const known = this.known.get(text.file);
    if (known?.text === content) return known.read;
    const read = readCertificate(text);
    this.known.set(text.file, { text: content, read });
    return read;
  }

  private copy(there: ReadCertificate[], now: number): void {
    const usable = there.filter((each) => problemAt(each, now) === null);
    for (const { file, pem } of usable) this.disk.write(`${CERTIFICATES}/${copyOf(file)}`, pem);
    if (!usable.length) return;
    const wanted = new Set(there.map(({ file }) => copyOf(file)));
    for (const name of this.copies()) if (!wanted.has(name)) this.disk.remove(`${CERTIFICATES}/${name}`);
  }

  private copies(): string[] {
    const names = readdirSync(path.join(this.disk.folder, CERTIFICATES));
    return names.filter((name) => name.endsWith('.pem')).sort();
  }

  private kept(file: string): ReadCertificate {
    return readCertificate({ file, certificate: this.disk.read(`${CERTIFICATES}/${file}`) ?? '', key: null });
  }

  private markOf(): string | null {
    const copies = this.copies();
    const texts = copies.map((name) => [name, this.disk.read(`${CERTIFICATES}/${name}`)]);
    return copies.length ? createHash('sha256').update(JSON.stringify(texts)).digest('hex') : null;
  }

  /** Once for each trouble. */
  private complain(complaint: string): void {
    if (complaint && complaint !== this.complaint) {
      this.log.warn(`Certificates that are not used, while former ones stay in use: ${complaint}`);
    }
    this.complaint = complaint;
  }
}

const shown = ({ file, names, notAfter }: ReadCertificate, problem: DoorCertificate['problem']): DoorCertificate => ({
  file,
  names,
  notAfter,
  problem,
});

const copyOf = (file: string): string => `${file.replace(/\.(?:pem|crt|cer)$/, '')}.pem`;

/** Those of the folder, and of each folder in it. @throws if the folder cannot be read */
function textsIn(folder: string): CertificateText[] {
  const entries = readdirSync(folder).filter((name) => !name.startsWith('.'));
  return entries
    .sort()
    .flatMap((name) => {
      const inside = filesIn(path.join(folder, name));
      const files = inside ?? [name];
      const at = inside ? path.join(folder, name) : folder;
      return files
        .filter(
          (file) => /\.(?:pem|crt|cer)$/.test(file) && !(inside?.includes('fullchain.pem') && BESIDE.includes(file)),
        )
        .map((file) => textOf(at, file, inside ? `${name}.${file}` : file));
    })
    .slice(0, MOST);
}

/** Null if it is no folder. */
function filesIn(folder: string): string[] | null {
  try {
    return readdirSync(folder).sort();
  } catch {
    return null;
  }
}

function textOf(folder: string, file: string, name: string): CertificateText {
  const keyFile = file === 'fullchain.pem' ? 'privkey.pem' : file.replace(/\.\w+$/, '.key');
  return {
    file: name.replace(/[^\w.@ +~-]/g, '_').slice(0, 120),
    certificate: contentOf(path.join(folder, file)) ?? '',
    key: contentOf(path.join(folder, keyFile)),
  };
}

function contentOf(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return null;
  }
}
