import http from 'node:http';
import https from 'node:https';
import { jsonText } from '../../../shared/json-text';
import { type Message, say } from '../../../shared/message';
import { TRANSFER_PATH, TRANSFER_WITHIN, type TransferRefusal, transferRefused } from '../../protocol/transfer';

/** Requests to other Workers for uploads, and why they do not give them. */

/** How long nothing may arrive, in ms. */
export const SILENCE = 20_000;

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

export function send(url: URL, options: http.RequestOptions): Promise<http.IncomingMessage> {
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

/** @throws TransferFailure if the connection ends before the answer does, or the answer is longer */
export async function* contentOf(response: http.IncomingMessage, length: number): AsyncGenerator<Buffer> {
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

/** What people can do something about. */
const REFUSED: Partial<Record<TransferRefusal, Message>> = {
  here: say('UPLOADS_STILL_THERE'),
  clocks: say('UPLOADS_CLOCKS', { minutes: TRANSFER_WITHIN / 60_000 }),
  tooMany: say('UPLOADS_TOO_MANY'),
};

export function refusal(refused: TransferRefusal): TransferFailure {
  const isFinal = refused !== 'busy' && refused !== 'changed';
  return new TransferFailure(REFUSED[refused] ?? say('UPLOADS_REFUSED', { refused }), isFinal, refused);
}

/** Longer than any refusal, in bytes. */
const REFUSAL_LENGTH = 1_000;

export async function refusalIn(response: http.IncomingMessage): Promise<TransferFailure> {
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
