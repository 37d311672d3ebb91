import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, open, rename, rm, rmdir, stat, statfs, utimes } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { z } from 'zod';
import { jsonText } from '../../../shared/json-text';
import { type Message, say } from '../../../shared/message';
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
  TRANSFER_WITHIN,
  type Transfer,
  type TransferRefusal,
  transferRefused,
  type Wanted,
} from '../../protocol/transfer';
import { secretBytes } from '../../random';
import { markMoved } from '../guards/files/claim';
import { uploadsOf } from '../guards/files/places';
import { filesIn, placeIn } from './folder';
import { isNewer, lacksAfter, transferPlan } from './plan';
import { readState, writeState } from './state';

/** How long nothing may arrive, in ms. */
const SILENCE = 20_000;
/** Files that are fetched at the same time: most are small, and what they take is the way there and back. */
const AT_ONCE = 4;
/** A list is never longer, in bytes. */
const LIST_LENGTH = 256 * 1024 ** 2;
/** This much of the disk stays free, in bytes. */
const RESERVE = 256 * 1024 ** 2;

/** Why a copy has ended early, for people. */
export class TransferFailure extends Error {
  constructor(
    readonly reason: Message,
    /** Whether another attempt in a moment would end in the same way. */
    readonly isFinal = false,
    /** As the other Worker says it; null if it says none of these. */
    readonly refused: TransferRefusal | null = null,
  ) {
    super(reason.code);
  }
}

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
    this.parts = path.join(storagePath, 'apps', transfer.app, PARTS);
  }

  async run(): Promise<FetchProgress> {
    const { storagePath, transfer, source } = this.options;
    const { head, files } = await this.list();
    const local = new Map<string, ListedFile>();
    for await (const file of filesIn(this.folder)) local.set(file.path, file);
    const { lacks } = await readState(storagePath, transfer.app);
    const facts = { me: transfer.to, source, mine: lacks, theirs: head.lacks };
    const { fetch, aside } = transferPlan({ ...facts, local, listed: files });
    this.progress.ofFiles = fetch.length;
    this.progress.ofBytes = fetch.reduce((sum, { size }) => sum + size, 0);
    await this.assertRoom();
    for (const file of aside) await this.setAside(file);
    await this.fetchAll(fetch);
    await rm(this.parts, { recursive: true, force: true });
    // From now on its rows name no file of the folder that all apps shared, as at the source.
    if (head.isMoved) await markMoved(storagePath, transfer.app);
    await this.ask({ kind: 'end' }, async () => undefined);
    const state = await readState(storagePath, transfer.app);
    await writeState(storagePath, transfer.app, { ...state, lacks: lacksAfter({ ...facts, mine: state.lacks }) });
    return this.progress;
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

  private async assertRoom(): Promise<void> {
    const { storagePath } = this.options;
    const { bavail, bsize } = await statfs(storagePath);
    const needed = this.progress.ofBytes;
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
    const queue = files.values();
    let isOver = false;
    const work = async () => {
      for (const file of queue) {
        if (isOver) return;
        this.options.signal.throwIfAborted();
        await this.fetchOne(file);
        this.progress.files++;
        this.options.onProgress(this.progress);
      }
    };
    const working = Array.from({ length: AT_ONCE }, () =>
      work().catch((error) => {
        isOver = true;
        throw error;
      }),
    );
    // None goes on after this has ended.
    await Promise.allSettled(working);
    await Promise.all(working);
  }

  private async fetchOne(file: ListedFile): Promise<void> {
    const { size, mtime } = file;
    await mkdir(this.parts, { recursive: true });
    // A file that was changed at the source meanwhile is another one.
    const name = createHash('sha256').update(`${file.path}\n${size}\n${mtime}`).digest('hex');
    const part = path.join(this.parts, name);
    const from = Math.min((await stat(part).catch(() => null))?.size ?? 0, size);
    this.progress.bytes += from;
    const want = { kind: 'file', path: file.path, size, mtime, from } as const;
    const isWhole = await this.ask(want, (content, signature) => this.receive(content, signature, part, size, from));
    if (!isWhole) {
      // What was here of it is wrong, or something else answers.
      await rm(part, { force: true });
      throw new TransferFailure(say('UPLOADS_CUT'));
    }
    await utimes(part, mtime / 1000, mtime / 1000);
    const target = await placeIn(this.folder, file.path);
    // An empty folder may be there, of files that were set aside.
    await rmdir(target).catch(() => undefined);
    const there = await lstat(target).catch(() => null);
    // The app may run, and have written it meanwhile.
    if (there && !isNewer(file, { size: there.size, mtime: there.mtimeMs })) await rm(part);
    else await rename(part, target);
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
    const { transfer, key, clock, address, apiBase, signal } = this.options;
    const id = secretBytes(16).toString('hex');
    const header = signTransfer(key, { ...transfer, id, at: clock.now().wall, want });
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

/** How long the answer of a Worker to a test may take, in ms. */
const TEST_SILENCE = 4_000;

/**
 * Why uploads could not be copied from the Worker at an address; null if it answers as one that gives them. Sends it a request
 * without a signature, which it refuses. Never rejects.
 */
export async function uploadsUnreached(address: string, apiBase: string): Promise<Message | null> {
  const url = new URL(`${apiBase}/${TRANSFER_PATH}`, address);
  try {
    const response = await send(url, { agent: false, timeout: TEST_SILENCE });
    const { refused, reason } = await refusalIn(response);
    return refused === 'unsigned' ? null : reason;
  } catch (error) {
    return error instanceof TransferFailure ? error.reason : say('UPLOADS_CUT');
  }
}

function send(url: URL, options: http.RequestOptions): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    const client = url.protocol === 'https:' ? https : http;
    const headers = { 'Content-Length': 0, ...options.headers };
    const request = client.request(url, { ...options, method: 'POST', headers });
    request.on('timeout', () => request.destroy(new Error(`nothing within ${(options.timeout ?? 0) / 1000} s`)));
    request.on('error', ({ message }) =>
      reject(new TransferFailure(say('UPLOADS_NO_ANSWER', { address: url.origin, cause: message }))),
    );
    request.on('response', resolve);
    request.end();
  });
}

type Signature = ReturnType<typeof answerMac>;

/** The last line is the signature of those before it. */
const listLine = jsonText(z.union([z.string(), transferRefused, listedFile, listHead]));

/** @throws TransferFailure if the connection ends before the answer does, or the answer is longer */
async function* contentOf(response: http.IncomingMessage, length: number): AsyncGenerator<Buffer> {
  let left = length;
  const parts = response[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  try {
    for (;;) {
      const next = await parts.next().catch(() => {
        throw new TransferFailure(say('UPLOADS_CUT'));
      });
      if (next.done) return;
      left -= next.value.length;
      if (left < 0) throw new TransferFailure(say('UPLOADS_CUT'));
      yield next.value;
    }
  } finally {
    await parts.return?.();
  }
}

const inMegabytes = (bytes: number): string => `${Math.ceil(bytes / 1024 ** 2)} MB`;

function refusal(refused: TransferRefusal): TransferFailure {
  const isFinal = refused !== 'busy' && refused !== 'changed';
  switch (refused) {
    case 'here':
      return new TransferFailure(say('UPLOADS_STILL_THERE'), isFinal, refused);
    case 'clocks':
      return new TransferFailure(say('UPLOADS_CLOCKS', { minutes: TRANSFER_WITHIN / 60_000 }), isFinal, refused);
    case 'tooMany':
      return new TransferFailure(say('UPLOADS_TOO_MANY'), isFinal, refused);
    default:
      return new TransferFailure(say('UPLOADS_REFUSED', { refused }), isFinal, refused);
  }
}

/** Longer than any refusal, in bytes. */
const REFUSAL_LENGTH = 1_000;

async function refusalIn(response: http.IncomingMessage): Promise<TransferFailure> {
  let text = '';
  try {
    for await (const part of contentOf(response, REFUSAL_LENGTH)) text += part.toString('utf8');
  } catch {
    // The status says enough.
  }
  const parsed = jsonText(transferRefused).safeParse(text);
  if (parsed.success) return refusal(parsed.data.refused);
  // A Worker of before, or something else.
  const { statusCode = 0 } = response;
  return new TransferFailure(say('UPLOADS_REFUSED', { refused: `HTTP ${statusCode}` }), statusCode < 500);
}
