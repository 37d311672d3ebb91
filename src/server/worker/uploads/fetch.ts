import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, open, readdir, rename, rm, rmdir, stat, statfs, utimes } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import PQueue from 'p-queue';
import { z } from 'zod';
import { jsonText } from '../../../shared/json-text';
import { say } from '../../../shared/message';
import type { Clock } from '../../clock';
import {
  answerMac,
  type ListedFile,
  type ListHead,
  listedFile,
  listHead,
  signTransfer,
  TAG_LENGTH,
  TRANSFER_HEADER,
  TRANSFER_PATH,
  type Transfer,
  transferRefused,
  type Wanted,
} from '../../protocol/transfer';
import { secretBytes } from '../../random';
import { uploadsOf } from '../files/file-addresses';
import { markMoved } from '../files/moved-uploads';
import { readState, stateBegun, type UploadsState, writeState } from '../files/uploads-state';
import { isNewer, lacksAfter, transferPlan } from './copy-plan';
import { filesIn, placeIn } from './folder';
import { contentOf, refusal, refusalIn, SILENCE, send, TransferFailure } from './peer-requests';

/** Files that are fetched at the same time: most are small, and what they take is the way there and back. */
const AT_ONCE = 4;
/** A list is never longer, in bytes. */
const LIST_LENGTH = 256 * 1024 ** 2;
/** This much of the disk stays free, in bytes. */
const RESERVE = 256 * 1024 ** 2;

export interface FetchProgress {
  /** Files and bytes that are here by now, of those that were missing. */
  files: number;
  bytes: number;
  ofFiles: number;
  ofBytes: number;
}

export interface FetchOptions {
  transfer: Transfer;
  key: Buffer;
  /** The environment that has the files, and the address of its Worker. */
  source: string;
  address: string;
  storagePath: string;
  /** `API_BASE_PATH`, without trailing slash. */
  apiBase: string;
  clock: Clock;
  signal: AbortSignal;
  /** Whether the app still runs there. Then files are only made ready: what is here of it stays as it is. */
  ahead: boolean;
  /** Something has arrived. */
  onProgress(progress: FetchProgress): void;
}

/**
 * Copies the uploads of an app from the Worker that had it before. What is here is not copied again, also half of a file.
 *
 * @returns what was copied
 * @throws TransferFailure, and errors of the file system
 */
export async function fetchUploads(options: FetchOptions): Promise<FetchProgress> {
  const copy = new UploadsCopy(options);
  try {
    return await copy.run();
  } finally {
    copy.end();
  }
}

/** In the app's folder: files of which a part has arrived, and files that were deleted elsewhere. */
const PARTS = '.uploads.parts';
const ASIDE = 'uploads.deleted';
/** At the end of the name of a part that is a whole file. */
const WHOLE = '.whole';

const partsOf = (storagePath: string, app: string): string => path.join(storagePath, 'apps', app, PARTS);

/** Deletes what has arrived of files and was not put in its place. */
export const removeParts = (storagePath: string, app: string): Promise<void> =>
  rm(partsOf(storagePath, app), { recursive: true, force: true });

class UploadsCopy {
  private readonly agent: http.Agent;
  private readonly folder: string;
  private readonly parts: string;
  private readonly progress: FetchProgress = { files: 0, bytes: 0, ofFiles: 0, ofBytes: 0 };

  constructor(private readonly options: FetchOptions) {
    const settings = { keepAlive: true, maxSockets: AT_ONCE };
    this.agent = options.address.startsWith('https:') ? new https.Agent(settings) : new http.Agent(settings);
    const { storagePath, transfer } = options;
    this.folder = uploadsOf(storagePath, transfer.app);
    this.parts = partsOf(storagePath, transfer.app);
  }

  async run(): Promise<FetchProgress> {
    const { storagePath, transfer, source } = this.options;
    const { head, files } = await this.list();
    const local = new Map<string, ListedFile>();
    for await (const file of filesIn(this.folder)) local.set(file.path, file);
    const { lacks } = await this.stateOf();
    const facts = { me: transfer.to, source, mine: lacks, theirs: head.lacks };
    const { fetch, aside } = transferPlan({ ...facts, local, listed: files });
    this.progress.ofFiles = fetch.length;
    this.progress.ofBytes = fetch.reduce((sum, { size }) => sum + size, 0);
    await this.keepParts(fetch);
    if (this.options.ahead) {
      await this.fetchAll(fetch);
      return this.progress;
    }
    for (const file of aside) await this.setAside(file);
    await this.fetchAll(fetch);
    await removeParts(storagePath, transfer.app);
    // From now on its rows name no file of the folder that all apps shared, as at the source.
    if (head.isMoved) await markMoved(storagePath, transfer.app);
    await this.ask({ kind: 'end' }, async () => undefined);
    const state = await readState(storagePath, transfer.app);
    await writeState(storagePath, transfer.app, { ...state, lacks: lacksAfter({ ...facts, mine: state.lacks }) });
    return this.progress;
  }

  /** What is known here of the uploads, as it will be when the app begins here. */
  private async stateOf(): Promise<UploadsState> {
    const { storagePath, transfer, source, ahead, clock } = this.options;
    const { app, to, generation } = transfer;
    const state = await readState(storagePath, app);
    const record = { generation, uploads: { from: source, generation } };
    return ahead ? stateBegun(state, record, to, clock.now().wall) : state;
  }

  end(): void {
    this.agent.destroy();
  }

  private async list(): Promise<{ head: ListHead; files: ListedFile[] }> {
    return this.ask({ kind: 'list' }, async (content, signature) => {
      let head: ListHead | null = null;
      const files: ListedFile[] = [];
      for await (const line of createInterface({
        input: Readable.from(content),
        crlfDelay: Number.POSITIVE_INFINITY,
      })) {
        const read = listLine.safeParse(line);
        if (!read.success) break;
        const value = read.data;
        if (typeof value === 'string') {
          if (!head || value !== signature.digest('base64url')) break;
          return { head, files };
        }
        signature.update(`${line}\n`);
        if ('refused' in value) throw refusal(value.refused);
        if ('path' in value) files.push(value);
        else head = value;
        this.options.onProgress(this.progress);
      }
      throw new TransferFailure(say('UPLOADS_CUT'));
    });
  }

  /** Deletes parts of other files than these, which have changed since. @throws TransferFailure if there is no room for the rest */
  private async keepParts(files: readonly ListedFile[]): Promise<void> {
    const names = new Set(files.map(partName));
    let present = 0;
    for (const name of await readdir(this.parts).catch(() => [])) {
      const part = path.join(this.parts, name);
      if (names.has(name.replace(WHOLE, ''))) present += (await stat(part)).size;
      else await rm(part, { recursive: true });
    }
    const { storagePath } = this.options;
    const { bavail, bsize } = await statfs(storagePath);
    const needed = this.progress.ofBytes - present;
    if (needed > 0 && needed + RESERVE > bavail * bsize)
      throw new TransferFailure(
        say('UPLOADS_NO_ROOM', { needed: inMegabytes(needed), free: inMegabytes(bavail * bsize) }),
        true,
      );
  }

  private async setAside(file: string): Promise<void> {
    const { storagePath, transfer } = this.options;
    const aside = path.join(storagePath, 'apps', transfer.app, ASIDE, String(transfer.generation));
    const from = await placeIn(this.folder, file);
    await rename(from, await placeIn(aside, file));
    // An empty folder may be in the way of a file.
    await rmdir(path.dirname(from)).catch(() => undefined);
  }

  private async fetchAll(files: readonly ListedFile[]): Promise<void> {
    const queue = new PQueue({ concurrency: AT_ONCE });
    const work = async (file: ListedFile) => {
      this.options.signal.throwIfAborted();
      const whole = await this.fetchOne(file);
      if (whole !== null && !this.options.ahead) await this.putInPlace(file, whole);
      this.progress.files++;
      this.options.onProgress(this.progress);
    };
    try {
      await queue.addAll(files.map((file) => () => work(file)));
    } finally {
      // None goes on after this has ended.
      queue.clear();
      await queue.onIdle();
    }
  }

  /** @returns the whole file, among the parts; null if it is not there any more, as the app runs on */
  private async fetchOne(file: ListedFile): Promise<string | null> {
    const { size, mtime } = file;
    await mkdir(this.parts, { recursive: true });
    const part = path.join(this.parts, partName(file));
    const whole = `${part}${WHOLE}`;
    const from = Math.min((await stat(part).catch(() => null))?.size ?? 0, size);
    if ((await stat(whole).catch(() => null))?.size === size) {
      this.progress.bytes += size;
      return whole;
    }
    this.progress.bytes += from;
    const want = { kind: 'file', path: file.path, size, mtime, from } as const;
    const isWhole = await this.ask(want, (content, signature) =>
      this.receive(content, signature, part, size, from),
    ).catch(this.unlessGone);
    if (isWhole === null) return null;
    if (!isWhole) {
      // What was here of it is wrong, or something else answers.
      await rm(part, { force: true });
      throw new TransferFailure(say('UPLOADS_CUT'));
    }
    await utimes(part, mtime / 1000, mtime / 1000);
    await rename(part, whole);
    return whole;
  }

  /** A file that an app changes while it runs is for later. */
  private readonly unlessGone = (error: unknown): null => {
    const refused = error instanceof TransferFailure ? error.refused : null;
    if (this.options.ahead && (refused === 'changed' || refused === 'none')) return null;
    throw error;
  };

  private async putInPlace(file: ListedFile, whole: string): Promise<void> {
    const target = await placeIn(this.folder, file.path);
    // An empty folder may be there, of files that were set aside.
    await rmdir(target).catch(() => undefined);
    const there = await lstat(target).catch(() => null);
    // The app may run, and have written it meanwhile.
    if (there && !isNewer(file, { size: there.size, mtime: there.mtimeMs })) await rm(whole);
    else await rename(whole, target);
  }

  /** @returns whether the whole file is right by its signature, which follows it */
  private async receive(
    content: AsyncIterable<Buffer>,
    signature: Signature,
    part: string,
    size: number,
    from: number,
  ): Promise<boolean> {
    const tag: Buffer[] = [];
    let at = from;
    const file = await open(part, from ? 'r+' : 'w');
    try {
      if (from) for await (const known of createReadStream(part, { end: from - 1 })) signature.update(known);
      for await (const data of content) {
        const own = data.subarray(0, size - at);
        tag.push(data.subarray(own.length));
        await file.write(own, 0, own.length, at);
        signature.update(own);
        at += own.length;
        this.progress.bytes += own.length;
        this.options.onProgress(this.progress);
      }
    } finally {
      await file.close();
    }
    return at === size && Buffer.concat(tag).equals(signature.digest());
  }

  /** @throws TransferFailure */
  private async ask<T>(
    want: Wanted,
    take: (content: AsyncIterable<Buffer>, signature: Signature) => Promise<T>,
  ): Promise<T> {
    const { transfer, key, clock, address, apiBase, signal, ahead } = this.options;
    const id = secretBytes(16).toString('hex');
    const request = { ...transfer, id, at: clock.now().wall, want };
    const header = signTransfer(key, ahead ? { ...request, ahead } : request);
    const response = await send(new URL(`${apiBase}/${TRANSFER_PATH}`, address), {
      headers: { [TRANSFER_HEADER]: header },
      agent: this.agent,
      timeout: SILENCE,
      signal,
    });
    if (response.statusCode !== 200) throw await refusalIn(response);
    try {
      const length = want.kind === 'file' ? want.size - want.from + TAG_LENGTH : LIST_LENGTH;
      return await take(contentOf(response, length), answerMac(key, { id }));
    } finally {
      response.resume();
    }
  }
}

/** A file that was changed at the source meanwhile is another one. */
const partName = ({ path: name, size, mtime }: ListedFile): string =>
  createHash('sha256').update(`${name}\n${size}\n${mtime}`).digest('hex');

type Signature = ReturnType<typeof answerMac>;

/** The last line is the signature of those before it. */
const listLine = jsonText(z.union([z.string(), transferRefused, listedFile, listHead]));

const inMegabytes = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)} MB`;
