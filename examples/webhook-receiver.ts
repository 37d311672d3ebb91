/**
 * Receives webhooks of App supervisor, and prints what happened.
 *
 *     WEBHOOK_SECRET=… npx tsx examples/webhook-receiver.ts 8080
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import http from 'node:http';
import { pathToFileURL } from 'node:url';

/** Requests that are older may have been recorded and sent again by somebody else, in seconds. */
const TOLERANCE = 300;

/**
 * Whether a request is from the Supervisor that has this secret, and new.
 * @param header value of `X-App-Supervisor-Signature`: `t=<seconds since 1970>,v1=<HMAC-SHA256 in hex>`
 * @param body exactly as received
 * @param now in seconds since 1970
 */
export function isGenuine(header: string, body: string, secret: string, now: number): boolean {
  const parts = Object.fromEntries(header.split(',').map((part) => part.split('=', 2)));
  const expected = createHmac('sha256', secret).update(`${parts.t}.${body}`).digest();
  const given = Buffer.from(parts.v1 ?? '', 'hex');
  return (
    given.length === expected.length && timingSafeEqual(given, expected) && Math.abs(now - Number(parts.t)) <= TOLERANCE
  );
}

interface Delivery {
  id: string;
  type: 'events' | 'test';
  events: Array<{ id: string; notice: string; phase: 'begun' | 'over' | 'once'; text: string }>;
}

/** @param onDelivery called once for each delivery, however often it arrives */
export function createReceiver(secret: string, onDelivery: (delivery: Delivery) => void): http.Server {
  const known = new Set<string>();
  return http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const header = String(request.headers['x-app-supervisor-signature'] ?? '');
    if (!isGenuine(header, body, secret, Date.now() / 1_000)) {
      response.writeHead(401).end();
      return;
    }
    const delivery: Delivery = JSON.parse(body);
    if (!known.has(delivery.id)) {
      known.add(delivery.id);
      onDelivery(delivery);
    }
    response.writeHead(204).end();
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const { WEBHOOK_SECRET } = process.env;
  if (!WEBHOOK_SECRET) throw new Error('Set WEBHOOK_SECRET to the secret that the page Notifications has shown.');
  const port = Number(process.argv[2] ?? 8080);
  createReceiver(WEBHOOK_SECRET, ({ type, events }) => {
    if (type === 'test') console.log('A test message.');
    for (const { notice, phase, text } of events) console.log(`${notice} (${phase}): ${text}`);
  }).listen(port, '127.0.0.1', () => console.log(`Waiting at http://127.0.0.1:${port}/`));
}
