import { execFileSync } from 'node:child_process';
import { tmpdir } from 'node:os';
import Redis from 'ioredis';
import { freePort, Part } from '../../scripts/fleet';
import { findOnPath, findProgram } from '../../scripts/lib/programs.mjs';
import { until } from './wait';

/** A Redis on a machine of its own, as far as the network is concerned. */
export interface RemoteRedis {
  url: string;
  /** The kernel drops every packet to and from it, without a word. */
  drop(): void;
  pass(): void;
  stop(): Promise<void>;
}

const run = (...command: string[]) => execFileSync(command[0], command.slice(1), { stdio: 'pipe' });

/** Whether this machine can make one: root on Linux, with network namespaces and nftables. */
export function hasNamespaces(): boolean {
  if (process.getuid?.() !== 0 || !findOnPath(['ip']) || !findOnPath(['nft'])) return false;
  const name = `probe${process.pid}`;
  try {
    run('ip', 'netns', 'add', name);
    run('ip', 'netns', 'exec', name, 'nft', 'list', 'ruleset');
    return true;
  } catch {
    return false;
  } finally {
    try {
      run('ip', 'netns', 'del', name);
    } catch {
      // It was not made.
    }
  }
}

export async function remoteRedis(): Promise<RemoteRedis> {
  const id = process.pid % 10_000;
  const namespace = `redis${id}`;
  const [here, there] = [`rh${id}`, `rt${id}`];
  // Of the block for benchmarks of networks: nobody else uses it.
  const net = `198.18.${id % 250}`;
  const inside = (...command: string[]) => run('ip', 'netns', 'exec', namespace, ...command);
  run('ip', 'netns', 'add', namespace);
  run('ip', 'link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', namespace);
  run('ip', 'addr', 'add', `${net}.1/24`, 'dev', here);
  run('ip', 'link', 'set', here, 'up');
  inside('ip', 'addr', 'add', `${net}.2/24`, 'dev', there);
  inside('ip', 'link', 'set', there, 'up');
  const port = await freePort();
  const url = `redis://${net}.2:${port}`;
  const server = ['--bind', `${net}.2`, '--port', String(port), '--save', '', '--protected-mode', 'no'];
  const part = new Part({
    name: 'Redis in a namespace',
    logFile: `${tmpdir()}/${namespace}.log`,
    command: () => ({
      program: findOnPath(['ip'])!,
      args: ['netns', 'exec', namespace, findProgram('redis')!, ...server],
      options: { cwd: tmpdir() },
    }),
    ready: () => answers(url),
    readyWithin: 60_000,
    stopSignal: 'SIGTERM',
    stopWithin: 10_000,
  });
  await part.start();
  return {
    url,
    drop() {
      inside('nft', 'add table inet silence');
      for (const hook of ['input', 'output'])
        inside('nft', `add chain inet silence ${hook} { type filter hook ${hook} priority 0; policy drop; }`);
    },
    pass: () => void inside('nft', 'delete table inet silence'),
    async stop() {
      await part.stop();
      run('ip', 'netns', 'del', namespace);
      await until('The namespace to be gone', () => !String(run('ip', '-o', 'link')).includes(` ${here}`));
    },
  };
}

async function answers(url: string): Promise<boolean> {
  const client = new Redis(url, { retryStrategy: null, lazyConnect: true, connectTimeout: 1_000 });
  client.on('error', () => undefined);
  try {
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}
