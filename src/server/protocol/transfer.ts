import { createHmac } from 'node:crypto';
import { z } from 'zod';
import { appName, environmentName } from '../../shared/app';
import { jsonText } from '../../shared/json-text';
import { schemaOf } from '../../shared/schema';
import { authenticate, isAuthentic } from './cipher';
import type { EnvironmentKey } from './keyring';

/**
 * How the Worker of one environment asks that of another for the uploads of an app that moves (worker/uploads). Both have one
 * key for this app and this move: the giver derives it from the key of its own environment, the receiver gets it in its
 * record, sealed. So a Worker that has no key but its environment's can neither ask for other apps nor give them.
 */

/** Below `API_BASE_PATH`. */
export const TRANSFER_PATH = '__uploads';
export const TRANSFER_HEADER = 'x-app-supervisor-transfer';

/** How old a request may be that is answered, by the clocks of both, in ms; those that are younger are remembered. */
export const TRANSFER_WITHIN = 300_000;

/** Length of the signature at the end of a file, in bytes. */
export const TAG_LENGTH = 32;

/** A path below the folder of uploads, with `/`, in at most so many characters. */
export const PATH_LENGTH = 1_024;

const size = z.number().int().nonnegative();

const wanted = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('list') }),
  /** The content from this byte on, of the file as it was listed. */
  z.object({ kind: z.literal('file'), path: z.string().min(1).max(PATH_LENGTH), size, mtime: z.number(), from: size }),
  /** Everything has arrived. */
  z.object({ kind: z.literal('end') }),
]);
export type Wanted = z.infer<typeof wanted>;

const transferRequest = z.object({
  app: schemaOf(appName),
  uid: z.string().min(1).max(200),
  /** The environment that asks. */
  to: schemaOf(environmentName),
  /** Of the move. */
  generation: z.number().int().nonnegative(),
  /** Used once. */
  id: z.string().regex(/^[0-9a-f]{32}$/),
  /** In ms since 1970, by the receiver's clock. */
  at: z.number(),
  want: wanted,
  /** Whether the app is about to move, and still runs where it is. */
  ahead: z.boolean().optional(),
});
export type TransferRequest = z.infer<typeof transferRequest>;
const requestText = jsonText(transferRequest);

/** What a transfer is about. */
export type Transfer = Pick<TransferRequest, 'app' | 'uid' | 'to' | 'generation' | 'ahead'>;

/** The key of a copy ahead opens nothing once the app has left: the move may have been cancelled. */
export const transferKeyOf = (
  { authentication }: Pick<EnvironmentKey, 'authentication'>,
  { uid, to, generation, ahead = false }: Omit<Transfer, 'app'>,
): Buffer => authenticate(authentication, `${ahead ? 'ahead' : 'uploads'}\n${uid}\n${to}\n${generation}`);

const macked = (text: string): string => `request\n${text}`;

/** The value of the header. */
export function signTransfer(key: Buffer, request: TransferRequest): string {
  const text = Buffer.from(JSON.stringify(request)).toString('base64url');
  return `${text}.${authenticate(key, macked(text)).toString('base64url')}`;
}

/**
 * @param keyOf the key for what the request says that it is about; null if there is none
 * @returns null if it is not signed with it
 */
export function openTransfer(header: unknown, keyOf: (about: Transfer) => Buffer | null): TransferRequest | null {
  const [, text, signature] = (typeof header === 'string' && /^([\w-]{1,12000})\.([\w-]{43})$/.exec(header)) || [];
  if (!text || !signature) return null;
  const json = Buffer.from(text, 'base64url').toString('utf8');
  const request = requestText.safeParse(json).data;
  const key = request && keyOf(request);
  if (!key) return null;
  return isAuthentic(key, macked(text), Buffer.from(signature, 'base64url')) ? request : null;
}

/** Signs the content of an answer, of which each part is added, for the one request that it answers. */
export const answerMac = (key: Buffer, { id }: Pick<TransferRequest, 'id'>) =>
  createHmac('sha256', key).update(`answer\n${id}\n`);

/** A file as it is listed. */
export const listedFile = z.object({
  path: z.string().min(1).max(PATH_LENGTH),
  size,
  /** When its content was last written, in ms since 1970. A copy keeps it. */
  mtime: z.number(),
  /** When the file was last changed there, whatever its content's time says. */
  changed: z.number(),
});
export type ListedFile = z.infer<typeof listedFile>;

/** That an environment may have files of an app that this one has not. */
export const lack = z.object({
  environment: schemaOf(environmentName),
  /** The files that changed here from then on are the newer ones, in ms since 1970. */
  since: z.number(),
  /** Whether all files that were here before had been copied from here: those that are gone since then were deleted. */
  mirrors: z.boolean(),
  /** Whether that environment was seen to use this folder, too: then nothing may be missing. */
  isShared: z.boolean().default(false),
});
export type Lack = z.infer<typeof lack>;

/** The first line of a list. */
export const listHead = z.object({
  lacks: z.array(lack).max(1_000),
  /** Whether files of before an app had a folder of its own were moved there (worker/files/moved-uploads.ts). */
  isMoved: z.boolean(),
});
export type ListHead = z.infer<typeof listHead>;

/** Why a Worker does not give. */
export const TRANSFER_REFUSALS = [
  /** The request is not signed for this. */
  'unsigned',
  'replayed',
  /** The clocks of the two differ by more than `TRANSFER_WITHIN`. */
  'clocks',
  /** The app is still there. */
  'here',
  /** It has no folder of this app, or the app came back since. */
  'none',
  /** It does not know yet what it hosts, or gives as much as it can. */
  'busy',
  /** The file is not as it was listed. */
  'changed',
  /** There are too many files. */
  'tooMany',
] as const;
export type TransferRefusal = (typeof TRANSFER_REFUSALS)[number];

export const transferRefused = z.object({ refused: z.enum(TRANSFER_REFUSALS) });
