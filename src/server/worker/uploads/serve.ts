import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { Keyring } from '../../protocol/keyring';
import {
  answerMac,
  type ListHead,
  openTransfer,
  TRANSFER_HEADER,
  TRANSFER_PATH,
  TRANSFER_WITHIN,
  type TransferRefusal,
  type TransferRequest,
  transferKeyOf,
} from '../../protocol/transfer';
import { ownerOf } from '../files/app-folders';
import { uploadsOf } from '../files/file-addresses';
import { isMoved } from '../files/moved-uploads';
import { readState, writeState } from '../files/uploads-state';
import { filesIn, openIn } from './folder';

/** More files of one app are not listed. */
const MOST_FILES = 200_000;
/** Most requests that are answered at the same time. */
const AT_ONCE = 16;
/** How long nothing of an answer may be taken, in ms. */
const SILENCE = 60_000;

export interface UploadsGiverOptions {
  environment: string;
  storagePath: string;
  /** `API_BASE_PATH`, without trailing slash. */
  apiBase: string;
  keyring: Keyring;
  clock: Clock;
  log: Log;
  /** Whether this process hosts the app; null if it does not know, or does not host its environment. */
  hosts(app: string): boolean | null;
  /** Generation of the newest record of an app that this process hosts; 0 if there is none. */
  generationOf(app: string): number;
}

/** @returns whether it answers the request */
export type UploadsFront = (req: IncomingMessage, res: ServerResponse) => boolean;

const STATUSES: Record<TransferRefusal, number> = {
  unsigned: 401,
  replayed: 403,
  clocks: 403,
  here: 409,
  none: 404,
  busy: 503,
  changed: 410,
  tooMany: 413,
};

/**
 * Gives the uploads of apps that have left this environment to the Workers of their new ones, which prove that the Supervisor
 * has moved them there (protocol/transfer.ts). Of an app that runs here it gives only what the newest move of it asks for ahead.
 */
export function createUploadsFront(options: UploadsGiverOptions): UploadsFront {
  const giver = new UploadsGiver(options);
  const address = `${options.apiBase}/${TRANSFER_PATH}`;
  return (req, res) => {
    if (req.url !== address) return false;
    void giver.answer(req, res);
    return true;
  };
}

class UploadsGiver {
  /** Ids of requests that were answered, oldest first, with when. */
  private readonly answered = new Map<string, number>();
  private open = 0;

  constructor(private readonly options: UploadsGiverOptions) {}

  /** Never rejects. */
  async answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    res.on('error', () => undefined);
    res.setTimeout(SILENCE, () => res.destroy());
    res.setHeader('Cache-Control', 'no-store');
    try {
      const request =
        req.method === 'POST' ? openTransfer(req.headers[TRANSFER_HEADER], (about) => this.keyOf(about)) : null;
      if (!request) return refuse(res, 'unsigned');
      const refusal = this.refusalOf(request) ?? (await this.hasNot(request));
      if (refusal) return refuse(res, refusal);
      this.open++;
      try {
        await this.give(request, res);
      } finally {
        this.open--;
      }
    } catch (error) {
      this.options.log.warn(`Uploads could not be given: ${messageOf(error)}`);
      // The receiver finds the end missing.
      res.destroy();
    }
  }

  private keyOf(about: Omit<TransferRequest, 'id' | 'at' | 'want'>): Buffer | null {
    const key = this.options.keyring.of(this.options.environment);
    return key && transferKeyOf(key, about);
  }

  private refusalOf({ app, id, at, ahead, want }: TransferRequest): TransferRefusal | null {
    const { clock, hosts } = this.options;
    const { wall, mono } = clock.now();
    if (Math.abs(wall - at) > TRANSFER_WITHIN) return 'clocks';
    for (const [other, since] of this.answered) {
      if (mono - since <= 2 * TRANSFER_WITHIN) break;
      this.answered.delete(other);
    }
    if (this.answered.has(id)) return 'replayed';
    this.answered.set(id, mono);
    const isHere = hosts(app);
    if (isHere === null || this.open >= AT_ONCE) return 'busy';
    if (ahead && !isHere) return 'none';
    return isHere && (!ahead || want.kind === 'end') ? 'here' : null;
  }

  /** Whether the folder is of another app of this name, or the app came back since that move, or something newer was asked of it. */
  private async hasNot({ app, uid, generation, ahead }: TransferRequest): Promise<TransferRefusal | null> {
    const { storagePath, generationOf } = this.options;
    const owner = await ownerOf(storagePath, app);
    const { began } = await readState(storagePath, app);
    const newest = ahead ? Math.max(began, generationOf(app)) : began;
    return owner?.uid === uid && generation >= newest ? null : 'none';
  }

  private async give(request: TransferRequest, res: ServerResponse): Promise<void> {
    const { want } = request;
    if (want.kind === 'list') return this.list(request, res);
    if (want.kind === 'file') return this.file(request, want, res);
    const { storagePath, log } = this.options;
    const { app, to } = request;
    await writeState(storagePath, app, { ...(await readState(storagePath, app)), given: true });
    log.info(`App ${app}: environment ${to} has its uploads by now; those that are here stay.`, { app });
    res.end('{}');
  }

  /** Lines of JSON: the head, the files, and the signature of all that is before it. */
  private async list(request: TransferRequest, res: ServerResponse): Promise<void> {
    const { storagePath } = this.options;
    const { app } = request;
    const signature = answerMac(this.keyOf(request) as Buffer, request);
    const head: ListHead = {
      lacks: (await readState(storagePath, app)).lacks,
      isMoved: await isMoved(storagePath, app),
    };
    async function* lines() {
      const signed = (value: unknown) => {
        const line = `${JSON.stringify(value)}\n`;
        signature.update(line);
        return line;
      };
      yield signed(head);
      let count = 0;
      for await (const file of filesIn(uploadsOf(storagePath, app))) {
        if (++count > MOST_FILES) {
          yield signed({ refused: 'tooMany' });
          break;
        }
        yield signed(file);
      }
      yield `${JSON.stringify(signature.digest('base64url'))}\n`;
    }
    await pipeline(Readable.from(lines()), res);
  }

  /** The rest of the content, and the signature of the whole of it: the receiver may have got its begin long ago. */
  private async file(
    request: TransferRequest,
    { path, size, mtime, from }: Extract<TransferRequest['want'], { kind: 'file' }>,
    res: ServerResponse,
  ): Promise<void> {
    const signature = answerMac(this.keyOf(request) as Buffer, request);
    const found = await openIn(uploadsOf(this.options.storagePath, request.app), path);
    if (!found) return refuse(res, 'none');
    try {
      if (found.size !== size || found.mtime !== mtime || from > size) return refuse(res, 'changed');
      const { handle } = found;
      async function* content() {
        let at = 0;
        const parts = size ? handle.createReadStream({ start: 0, end: size - 1, autoClose: false }) : [];
        for await (const part of parts as AsyncIterable<Buffer>) {
          signature.update(part);
          const rest = at + part.length > from ? part.subarray(Math.max(0, from - at)) : null;
          at += part.length;
          if (rest) yield rest;
        }
        if (at !== size) throw new Error(`"${path}" became shorter meanwhile.`);
        yield signature.digest();
      }
      await pipeline(Readable.from(content()), res);
    } finally {
      await found.handle.close();
    }
  }
}

function refuse(res: ServerResponse, refused: TransferRefusal): void {
  res.statusCode = STATUSES[refused];
  res.setHeader('Content-Type', 'application/json');
  res.end(JSON.stringify({ refused }));
}
