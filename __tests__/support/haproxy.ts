import { type ChildProcess, spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { CONFIGURATION, type DoorFiles } from '../../src/server/door/rules';

/** A HAProxy with these files, in the foreground. */
export interface Haproxy {
  /** What it has said of its configuration and of servers. */
  said(): string;
  stop(): Promise<void>;
}

export const doorFolder = (): string => fs.mkdtempSync(path.join(tmpdir(), 'door-'));

/** @param port on which it listens once it is ready */
export async function startHaproxy(folder: string, files: DoorFiles, port: number): Promise<Haproxy> {
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(folder, name), text);
  const child = spawn('haproxy', ['-db', '-f', path.join(folder, CONFIGURATION)], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += String(text)));
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  await Promise.race([listening(port, child), ended]);
  if (child.exitCode !== null) throw new Error(`HAProxy has ended: ${said}`);
  return {
    said: () => said,
    async stop() {
      child.kill('SIGKILL');
      await ended;
      fs.rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function listening(port: number, child: ChildProcess): Promise<void> {
  while (child.exitCode === null) {
    const isOpen = await new Promise((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
