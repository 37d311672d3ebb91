import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import Redis from 'ioredis';
import { freePort, HOST, Part, type Redis as RedisServer } from '../../scripts/fleet';
import { findProgram } from '../../scripts/lib/programs.mjs';
import { startRedis } from '../setup/services';
import { type FaultyLink, faultyLink } from './faulty-link';
import { until } from './wait';

const NAME = 'mymaster';

/** A primary with two replicas that three Sentinels watch: real processes, the primary behind a link that can fail. */
export class Sentinels {
  private constructor(
    /** For APP_SUPERVISOR_REDIS_URL. */
    readonly address: string,
    readonly primary: RedisServer,
    /** The way of everybody to the primary, the Sentinels' and the replicas', too. */
    readonly link: FaultyLink,
    readonly replicas: RedisServer[],
    private readonly sentinels: Part[],
    private readonly ports: number[],
  ) {}

  static async start(program: 'redis' | 'valkey'): Promise<Sentinels> {
    const primary = await startRedis({ program });
    const link = await faultyLink(primary.port);
    const args = ['--replicaof', HOST, String(link.port), '--repl-diskless-sync-delay', '0'];
    const replicas = await Promise.all([startRedis({ program, args }), startRedis({ program, args })]);
    const folder = mkdtempSync(path.join(tmpdir(), 'app-supervisor-sentinels-'));
    const ports = [await freePort(), await freePort(), await freePort()];
    const sentinels = ports.map((port) => sentinel(program, folder, port, link.port));
    await Promise.all(sentinels.map((part) => part.start()));
    const address = JSON.stringify({ sentinels: ports.map((port) => ({ host: HOST, port })), name: NAME });
    const made = new Sentinels(address, primary, link, replicas, sentinels, ports);
    await until('The Sentinels to know each other and both replicas', () => made.areComplete());
    return made;
  }

  /** The port of the primary, as most Sentinels say. */
  async primaryPort(): Promise<number> {
    const said = await Promise.all(
      this.ports.map((port) =>
        ask(port, (client) => client.call('SENTINEL', 'get-master-addr-by-name', NAME) as Promise<string[]>),
      ),
    );
    const ports = said.map((address) => Number(address[1]));
    return ports.find((port) => ports.filter((other) => other === port).length > 1) ?? 0;
  }

  async stop(): Promise<void> {
    await Promise.all(this.sentinels.map((part) => part.stop()));
    await Promise.all([this.primary, ...this.replicas].map((server) => server.stop()));
    this.link.close();
  }

  private async areComplete(): Promise<boolean> {
    const seen = await Promise.all(
      this.ports.map((port) =>
        ask(port, async (client) => {
          const fields = (await client.call('SENTINEL', 'master', NAME)) as string[];
          const field = (name: string) => fields[fields.indexOf(name) + 1];
          return `${field('num-slaves')} ${field('num-other-sentinels')} ${field('flags')}`;
        }),
      ),
    );
    return seen.every((each) => each === '2 2 master');
  }
}

function sentinel(program: 'redis' | 'valkey', folder: string, port: number, primary: number): Part {
  const file = path.join(folder, `${port}.conf`);
  const lines = [
    `port ${port}`,
    `bind ${HOST}`,
    `dir ${folder}`,
    `sentinel monitor ${NAME} ${HOST} ${primary} 2`,
    `sentinel down-after-milliseconds ${NAME} 3000`,
    `sentinel failover-timeout ${NAME} 10000`,
  ];
  writeFileSync(file, `${lines.join('\n')}\n`);
  return new Part({
    name: `Sentinel ${port}`,
    logFile: path.join(folder, `${port}.log`),
    command: () => ({ program: findProgram(program)!, args: [file, '--sentinel'], options: { cwd: folder } }),
    ready: () => ask(port, (client) => client.ping()).then(Boolean, () => false),
    readyWithin: 60_000,
    stopSignal: 'SIGTERM',
    stopWithin: 10_000,
  });
}

async function ask<T>(port: number, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(port, HOST, { retryStrategy: null, lazyConnect: true, enableReadyCheck: false });
  client.on('error', () => undefined);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}
