import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { DoorCertificate } from '../../shared/door-report';
import { messageOf } from '../errors';
import type { Log } from '../log';
import { type CertificateText, problemAt, type ReadCertificate, readCertificate } from './certificate';
import type { DoorDisk } from './disk';
import { CERTIFICATES } from './rules/place';

/** Most certificates that are looked at: as many as a report names. */
const MOST = 500;
/** What a folder of Certbot has beside the certificate with its chain. */
const BESIDE = ['cert.pem', 'chain.pem', 'privkey.pem'];

/**
 * The certificates of a folder, for HAProxy. It reads copies: one that is broken, not valid yet, refused by HAProxy, or gone with all others
 * leaves what was in use before.
 */
export class Certificates {
  /** What is there, for people. */
  found: DoorCertificate[] = [];
  /** What HAProxy should read, by name of the copy: another object with each change. */
  texts: ReadonlyMap<string, string>;
  /** By name of the copy, what HAProxy has refused. */
  private readonly refused = new Map<string, string>();
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
    this.texts = this.copies();
  }

  /**
   * Never throws: what cannot be read stays as it was.
   * @param now in ms since 1970
   * @returns whether HAProxy has to read other ones
   */
  look(now: number): boolean {
    if (this.folder === null) return false;
    let isOther = false;
    try {
      const there = textsIn(this.folder).map((text) => this.read(text));
      isOther = this.take(there, now);
      this.found = there.map((each) => this.shown(each, now));
      this.isUnreadable = false;
    } catch (error) {
      this.found = [];
      if (!this.isUnreadable) this.log.error(`Certificates cannot be read: ${messageOf(error)}`);
      this.isUnreadable = true;
    }
    if (!this.found.length) this.found = [...this.texts].map((kept) => shown(readCopy(kept), 'unreadable', true, now));
    this.complain(this.found.flatMap(({ file, problem }) => (problem ? [`${file}: ${problem}`] : [])).join(', '));
    return isOther;
  }

  /**
   * Goes back to what HAProxy has taken, which is on the disk again.
   * @param answer of HAProxy, which names the files that it does not take
   * @returns whether HAProxy has to read other ones
   */
  refuse(answer: string): boolean {
    const named = [...this.texts].filter(([name]) => answer.includes(`/${CERTIFICATES}/${name}'`));
    const taken = this.copies();
    const texts = new Map(this.texts);
    for (const [name, text] of named) {
      this.refused.set(name, text);
      const former = taken.get(name);
      if (former === undefined || former === text) texts.delete(name);
      else texts.set(name, former);
    }
    this.texts = texts;
    return named.length > 0;
  }

  /** With a problem it is not used, while the former one of that file stays in use. */
  private shown(read: ReadCertificate, now: number): DoorCertificate {
    const problem = this.problemOf(read, now);
    const name = copyOf(read.file);
    const text = this.texts.get(name);
    if (problem === null || text === undefined) return shown(read, problem, text !== undefined, now);
    return shown({ ...readCopy([name, text]), file: read.file }, problem, true, now);
  }

  private problemOf(read: ReadCertificate, now: number): DoorCertificate['problem'] {
    return this.refused.get(copyOf(read.file)) === read.pem ? 'refused' : problemAt(read, now);
  }

  private read(text: CertificateText): ReadCertificate {
    const content = `${text.certificate}\n${text.key}`;
    const known = this.known.get(text.file);
    if (known?.text === content) return known.read;
    const read = readCertificate(text);
    this.known.set(text.file, { text: content, read });
    return read;
  }

  /** @returns whether anything is another one now */
  private take(there: ReadCertificate[], now: number): boolean {
    const usable = there.filter((each) => this.problemOf(each, now) === null);
    if (!usable.length) return false;
    const wanted = new Set(there.map(({ file }) => copyOf(file)));
    const kept = [...this.texts].filter(([name]) => wanted.has(name));
    const texts = new Map([...kept, ...usable.map(({ file, pem }): [string, string] => [copyOf(file), pem])]);
    const sorted = new Map([...texts].sort(([one], [other]) => (one < other ? -1 : 1)));
    if (JSON.stringify([...sorted]) === JSON.stringify([...this.texts])) return false;
    this.texts = sorted;
    return true;
  }

  /** On the disk. */
  private copies(): Map<string, string> {
    const names = this.disk.list(CERTIFICATES).filter((name) => name.endsWith('.pem'));
    return new Map(names.map((name) => [name, this.disk.read(`${CERTIFICATES}/${name}`) ?? '']));
  }

  /** Once for each trouble. */
  private complain(complaint: string): void {
    if (complaint && complaint !== this.complaint) {
      this.log.warn(`Certificates that are not used, while former ones stay in use: ${complaint}`);
    }
    this.complaint = complaint;
  }
}

const shown = (
  read: ReadCertificate,
  problem: DoorCertificate['problem'],
  isUsed: boolean,
  now: number,
): DoorCertificate => ({
  file: read.file,
  names: read.names,
  notAfter: read.notAfter,
  problem,
  isServed: isUsed && problemAt(read, now) === null,
});

const readCopy = ([file, certificate]: [string, string]): ReadCertificate =>
  readCertificate({ file, certificate, key: null });

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
