import { randomInt } from 'node:crypto';
import net from 'node:net';

export const HOST = '127.0.0.1';

/** Whether nothing listens there. */
export const isFree = async (port: number): Promise<boolean> =>
  (await listen(port).catch(() => null))?.close() ?? false;

/** The preferred port, or any other if it is taken. */
export async function freePort(preferred?: number): Promise<number> {
  if (preferred !== undefined && (await isFree(preferred))) return preferred;
  const [port] = await freePorts(1);
  return port;
}

/**
 * Below the ports that systems use for outgoing connections and for any free port, so nobody takes by chance a port
 * that is free now and is used later, or again after a restart.
 */
const RANGE = { first: 20_000, end: 32_000 };

/** Different ports that are all free now. */
export async function freePorts(count: number): Promise<number[]> {
  const found = new Set<number>();
  for (let tries = 0; found.size < count; tries++) {
    if (tries > RANGE.end - RANGE.first) throw new Error('There is no free port.');
    const port = randomInt(RANGE.first, RANGE.end);
    if (await isFree(port)) found.add(port);
  }
  return [...found];
}

async function listen(port: number): Promise<{ close(): Promise<true> }> {
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, HOST, resolve));
  return { close: () => new Promise((resolve) => server.close(() => resolve(true))) };
}
