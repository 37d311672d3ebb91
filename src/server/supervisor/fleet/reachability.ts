import http from 'node:http';
import https from 'node:https';
import { z } from 'zod';
import { jsonText } from '../../../shared/json-text';
import { type Message, say } from '../../../shared/message';
import { messageOf } from '../../errors';
import { secretBytes } from '../../random';

/** How long a worker may take to answer, in ms. */
const TIMEOUT = 5_000;

export interface Reach {
  web: { ok: boolean; message: Message };
  ws: { ok: boolean; message: Message };
}

/** A Worker refuses requests that are older than this by its clock, in ms. */
const CLOCKS_APART = 300_000;

/**
 * Sends a request and opens a WebSocket to a worker, in the same way as the proxy, and compares its clock. Never rejects.
 * @param now in ms since 1970
 */
export async function checkReach(proxyUrl: string, wsPath: string, now: number): Promise<Reach> {
  const [web, ws] = await Promise.all([
    ask(new URL('/api/__health_check', proxyUrl), {}, (status) => status > 0, now),
    ask(
      new URL(wsPath, proxyUrl),
      {
        Connection: 'Upgrade',
        Upgrade: 'websocket',
        'Sec-WebSocket-Version': '13',
        'Sec-WebSocket-Key': secretBytes(16).toString('base64'),
      },
      (status) => status === 101,
    ),
  ]);
  return { web, ws };
}

/** Whether a worker answers a request in any way. Never rejects. */
export const reaches = async (proxyUrl: string): Promise<boolean> =>
  (await ask(new URL('/api/__health_check', proxyUrl), {}, (status) => status > 0)).ok;

/** States of a Worker that hosts its environment. */
const HOSTS = new Set<string | null>(['ready', 'alone']);

/** Whether a worker says that it hosts its environment, with or without Redis. Never rejects. @param apiBasePath `API_BASE_PATH` */
export const hostsAt = async (proxyUrl: string, apiBasePath: string): Promise<boolean> =>
  HOSTS.has(await probe(proxyUrl, apiBasePath));

/** Longer than any answer of a probe, in bytes. */
const PROBE_LENGTH = 1_000;

/**
 * The state that the probe of an instance reports (observability/probes.ts); `other` if something else answers; null if nothing
 * does. Never rejects.
 * @param apiBasePath `API_BASE_PATH`
 */
export function probe(proxyUrl: string, apiBasePath: string): Promise<string | null> {
  const url = new URL(`${apiBasePath.replace(/\/+$/, '')}/__ready`, proxyUrl);
  return new Promise((resolve) => {
    const client = url.protocol === 'https:' ? https : http;
    const request = client.get(url, { agent: false, timeout: TIMEOUT });
    const end = (state: string | null) => {
      resolve(state);
      request.destroy();
    };
    request.on('response', (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => {
        text += part;
        if (text.length > PROBE_LENGTH) end('other');
      });
      response.on('end', () => end(stateIn(text)));
      response.on('error', () => end('other'));
    });
    request.on('timeout', () => end(null));
    request.on('error', () => end(null));
  });
}

function stateIn(text: string): string {
  const parsed = probeAnswer.safeParse(text);
  return parsed.success ? parsed.data.state : 'other';
}

const probeAnswer = jsonText(
  z.object({ state: z.enum(['starting', 'loading', 'joining', 'standby', 'spent', 'alone', 'ready']) }),
);

function ask(url: URL, headers: http.OutgoingHttpHeaders, isGood: (status: number) => boolean, now?: number) {
  return new Promise<{ ok: boolean; message: Message }>((resolve) => {
    const client = url.protocol === 'https:' ? https : http;
    const request = client.get(url, { headers, agent: false, timeout: TIMEOUT });
    const end = (ok: boolean, message: Message) => {
      resolve({ ok, message });
      request.destroy();
    };
    request.on('upgrade', () => end(isGood(101), say('REACH_WEBSOCKET')));
    request.on('response', ({ statusCode = 0, headers: { date = '' } }) => {
      const apart = now === undefined ? 0 : Math.abs(Date.parse(date) - now) || 0;
      if (apart > CLOCKS_APART) return end(false, say('REACH_CLOCK', { minutes: Math.round(apart / 60_000) }));
      const ok = isGood(statusCode);
      end(ok, say(ok ? 'REACH_ANSWERS' : 'REACH_NO_WEBSOCKET', { status: statusCode }));
    });
    request.on('timeout', () => end(false, say('REACH_TIMEOUT', { seconds: TIMEOUT / 1000 })));
    request.on('error', (error) => end(false, say('REACH_FAILED', { cause: messageOf(error) })));
  });
}
