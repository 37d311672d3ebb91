import { createHmac } from 'node:crypto';
import http from 'node:http';
import https from 'node:https';
import type { EventRow } from '../../../shared/event';
import { say } from '../../../shared/message';
import { type NoticeKind, noticeKindOf, type Phase } from '../../../shared/notice';
import type { Clock, Timer } from '../../clock';
import { inEnglish, messageOf } from '../../errors';
import type { Attempt } from './deliveries';

/** The HTTP requests of webhooks; docs/notifications.md describes them for those who receive them. */

export const SIGNATURE_HEADER = 'X-App-Supervisor-Signature';
export const DELIVERY_HEADER = 'X-App-Supervisor-Delivery';
/** How long the receiver may take to answer, in ms. */
export const WEBHOOK_TIMEOUT = 10_000;

export interface WebhookBody {
  id: string;
  type: 'events' | 'test';
  /** The fleet's id. */
  fleet: string;
  /** ISO 8601. */
  sentAt: string;
  events: Array<EventRow & { notice: NoticeKind | null; phase: Phase; text: string }>;
}

export const bodyOf = (
  head: Pick<WebhookBody, 'id' | 'type' | 'fleet'>,
  events: ReadonlyArray<{ row: EventRow; phase: Phase }>,
  now: number,
): WebhookBody => ({
  ...head,
  sentAt: new Date(now).toISOString(),
  events: events.map(({ row, phase }) => ({
    ...row,
    notice: noticeKindOf(row),
    phase,
    text: [row.message, ...(row.cause ? [row.cause] : [])].map(inEnglish).join(' '),
  })),
});

/** @param now in ms since 1970 */
export function signatureOf(secret: string, body: string, now: number): string {
  const t = Math.floor(now / 1_000);
  return `t=${t},v1=${createHmac('sha256', secret).update(`${t}.${body}`).digest('hex')}`;
}

/**
 * The request is sent once; a redirect is not followed, and of the answer only the status is read. Never rejects.
 * @param secret signs it
 */
export function post(clock: Clock, url: string, secret: string, body: WebhookBody): Promise<Attempt> {
  const content = JSON.stringify(body);
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(content),
    'User-Agent': 'nocobase-app-supervisor',
    [DELIVERY_HEADER]: body.id,
    [SIGNATURE_HEADER]: signatureOf(secret, content, clock.now().wall),
  };
  return new Promise((resolve) => {
    let timer: Timer | undefined;
    const end = (status: number | null, error: Attempt['error']) => {
      timer?.cancel();
      resolve({ ok: error === null, status, error, done: [] });
    };
    try {
      const client = new URL(url).protocol === 'https:' ? https : http;
      const request = client.request(url, { method: 'POST', headers, agent: false });
      // Of the whole request: a receiver that sends a byte now and then is too slow, too.
      timer = clock.timeout(WEBHOOK_TIMEOUT, () => {
        end(null, say('WEBHOOK_TIMEOUT', { seconds: WEBHOOK_TIMEOUT / 1_000 }));
        request.destroy();
      });
      request.on('response', ({ statusCode: status = 0 }) => {
        end(status, status >= 200 && status < 300 ? null : say('WEBHOOK_STATUS', { status }));
        request.destroy();
      });
      request.on('error', (error) => end(null, say('WEBHOOK_FAILED', { cause: messageOf(error) })));
      request.end(content);
    } catch (error) {
      end(null, say('WEBHOOK_FAILED', { cause: messageOf(error) }));
    }
  });
}
