import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import Redis from 'ioredis';
import { type Fleet, HOST, type Part, query } from '../fleet';
import type { Harmed } from './history';
import type { PlannedHarm } from './plan';

/** The processes that the run ended, and when: by process id, ms since 1970. */
export type Ended = Map<number, number>;

/** Causes one disturbance and undoes it after its time. @returns what was done, or null if there was no target */
export async function harm(
  fleet: Fleet,
  planned: PlannedHarm,
  untouched: string,
  ended: Ended,
): Promise<Harmed | null> {
  const { target, lasts } = planned;
  const from = Date.now();
  const done = (): Harmed => ({ target, harm: planned.harm, from, to: Date.now() });
  if (target === 'visitors') {
    await resetVisitors(fleet, untouched);
    return done();
  }
  if (target === 'locks') {
    const locks = await cutLocks(fleet);
    return locks.length ? { ...done(), locks } : null;
  }
  if (planned.harm === 'flush' || planned.harm === 'cut') {
    await onRedis(fleet, async (redis) => {
      if (planned.harm === 'flush') await redis.flushall();
      else for (const type of ['NORMAL', 'PUBSUB']) await redis.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
    });
    return done();
  }
  const part = partOf(fleet, target);
  // Nobody else is about to start it: an earlier end is detected at the end.
  if (!part.running) return null;
  if (planned.harm === 'freeze') {
    part.pause();
    await sleep(lasts);
    part.resume();
    return done();
  }
  ended.set(part.pid!, from);
  if (planned.harm === 'kill') await part.kill();
  else await part.stop();
  await sleep(lasts);
  await part.start();
  // Its main app answers a moment before the definitions of apps are loaded.
  if (target === 'supervisor') await fleet.supervisor.waitForHttp('/api/__ready');
  return done();
}

const partOf = (fleet: Fleet, target: string): Part =>
  target === 'supervisor' ? fleet.supervisor : target === 'redis' ? fleet.redis! : fleet.worker(target);

async function onRedis(fleet: Fleet, work: (redis: Redis) => Promise<void>): Promise<void> {
  const redis = new Redis(fleet.redisUrl!, { retryStrategy: () => null });
  redis.on('error', () => {});
  try {
    await work(redis);
  } finally {
    redis.disconnect();
  }
}

/** @returns the boots that held them */
async function cutLocks(fleet: Fleet): Promise<NonNullable<Harmed['locks']>> {
  const { rows } = await query(
    fleet.postgresServer,
    'postgres',
    `SELECT application_name AS name, pg_terminate_backend(pid) FROM pg_stat_activity
     WHERE application_name LIKE 'nocobase lock: %' AND application_name NOT LIKE 'nocobase lock: main by %'
       AND EXISTS (SELECT FROM pg_locks WHERE pg_locks.pid = pg_stat_activity.pid AND locktype = 'advisory' AND granted)`,
  );
  return rows.map(({ name }) => {
    const [, app, environment] = /^nocobase lock: (.+) by (.+)$/.exec(name)!;
    return { app, environment };
  });
}

/** Requests and WebSockets whose clients disappear at every stage, with a reset. */
async function resetVisitors(fleet: Fleet, app: string): Promise<void> {
  const requests = [
    `GET /api/__app/${app}/app:getInfo HTTP/1.1\r\nHost: fleet\r\n\r\n`,
    `GET /api/__app/${app}/app:getInfo HTTP/1.1\r\nHost: fl`,
    `POST /api/__app/${app}/auth:signIn HTTP/1.1\r\nHost: fleet\r\nContent-Length: 1000\r\n\r\n{"half`,
    `GET /ws?__appName=${app} HTTP/1.1\r\nHost: fleet\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`,
  ];
  await Promise.all(
    requests.flatMap((request) => [0, 5, 50, 500].map((after) => resetAfter(fleet.supervisor.port, request, after))),
  );
}

async function resetAfter(port: number, request: string, after: number): Promise<void> {
  const socket = net.connect(port, HOST, () => socket.write(request));
  socket.on('error', () => {});
  await sleep(after);
  socket.resetAndDestroy();
}
