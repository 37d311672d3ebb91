import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { freePort, HOST, waitForHttp } from '../../scripts/fleet';
import { ROOT } from '../../scripts/lib/root.mjs';
import { start, stop } from './process';

/** The WebSocket server behind every proxy: it sends back what it receives. */
export async function startEcho(): Promise<{ url: string; stop(): Promise<void> }> {
  const port = await freePort();
  const url = `http://${HOST}:${port}`;
  const env = { PORT: String(port), HOST };
  const child = start({ args: [`${ROOT}/bench/lib/servers/echo.cjs`], env, measured: false });
  await waitForHttp(url, { timeout: 10_000 });
  return { url, stop: () => stop(child) };
}

/** Like a browser's: 125 bytes of text, masked. For a proxy these are only bytes. */
const MESSAGE = Buffer.concat([Buffer.from([0x81, 0x80 | 125, 1, 2, 3, 4]), Buffer.alloc(125, 'm')]);

/** Loopback has many addresses, and each has only 28,000 ports, which stay blocked for a minute after use. */
let opened = 0;

/** @param url of the proxy, with the path and query of the WebSocket */
export async function open(url: string, count: number): Promise<Socket[]> {
  const { hostname: host, port, pathname, search } = new URL(url);
  // Each visitor has an address of his own: limits count those of one, and all whom a trusted proxy does not name as one.
  const request = (visitor: number) =>
    `GET ${pathname}${search} HTTP/1.1\r\nHost: ${host}:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
    `X-Forwarded-For: 198.18.${(visitor >> 8) & 255}.${visitor & 255}\r\n` +
    'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n';
  const one = async (): Promise<Socket> => {
    const socket = net.connect({
      host,
      port: Number(port),
      localAddress: `127.0.0.${2 + (opened % 8)}`,
      noDelay: true,
    });
    socket.on('error', () => socket.destroy());
    socket.write(request(opened++));
    const [answer] = await once(socket, 'data');
    if (!String(answer).startsWith('HTTP/1.1 101')) throw new Error(`${url}: ${answer}`);
    return socket;
  };
  const AT_ONCE = 50;
  const sockets: Socket[] = [];
  while (sockets.length < count) {
    const more = Math.min(AT_ONCE, count - sockets.length);
    sockets.push(...(await Promise.all(Array.from({ length: more }, one))));
  }
  return sockets;
}

/** Each visitor sends its next message after it got the last one back. @returns number of returned messages */
export async function chat(sockets: Socket[], seconds: number): Promise<number> {
  let messages = 0;
  let isOver = false;
  for (const socket of sockets) {
    let missing = MESSAGE.length;
    socket.on('data', (chunk) => {
      missing -= chunk.length;
      if (missing > 0 || isOver) return;
      messages++;
      missing = MESSAGE.length;
      socket.write(MESSAGE);
    });
    socket.write(MESSAGE);
  }
  await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
  isOver = true;
  for (const socket of sockets) socket.removeAllListeners('data');
  return messages;
}
