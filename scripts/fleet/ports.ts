import { randomInt } from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';

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
    if (await claim(port)) found.add(port);
  }
  return [...found];
}

/**
 * Names a folder in which processes that run at the same time, as those of tests, note the ports that they have chosen: a server may
 * take its port seconds after that.
 */
export const CHOSEN_PORTS = 'APP_SUPERVISOR_CHOSEN_PORTS';

/**
 * Notes a port as chosen. One that another process has chosen is not probed: its server may be starting.
 * @returns whether it was neither chosen nor taken
 */
export const claim = async (port: number): Promise<boolean> => isChosenFirst(port) && isFree(port);

function isChosenFirst(port: number): boolean {
  const folder = process.env[CHOSEN_PORTS];
  if (!folder) return true;
  try {
    fs.writeFileSync(path.join(folder, `port-${port}`), '', { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}

async function listen(port: number): Promise<{ close(): Promise<true> }> {
  const server = net.createServer();
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, HOST, resolve));
  return { close: () => new Promise((resolve) => server.close(() => resolve(true))) };
}
