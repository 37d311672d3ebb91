import { setTimeout as sleep } from 'node:timers/promises';
import Redis from 'ioredis';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { expiryOf } from '../../src/server/timing';
import { type FaultyLink, faultyLink } from '../support/faulty-link';
import { FleetWatch } from '../support/fleet-watch';
import { stopwatch } from '../support/measure';
import { hasNamespaces, remoteRedis } from '../support/namespace';
import { SmallFleet, type SupervisorProcess, type WorkerProcess } from '../support/small-fleet';
import { until } from '../support/wait';

/**
 * A Supervisor and Workers whose Redis fails without closing a connection, for longer than a lease lives. The failure is
 * shown within 10 s and as what it is: nothing that is known of a Worker says that it is down. Changes are accepted
 * meanwhile. Everything is true within 10 s of the end, and no app was stopped or booted that nobody asked to.
 */

const WITHIN = 10_000;
/** As in production: with faster beats a Worker is missed before it can have found its way back. */
const BEAT = 5_000;
const LASTS = expiryOf(BEAT) + 4_000;
const BOTH = ['env_a', 'env_b'];

let fleet: SmallFleet;
let link: FaultyLink;
const closing: Array<() => unknown> = [];
beforeAll(async () => {
  fleet = await SmallFleet.start('faults', { wakeUps: true });
});
afterEach(async () => {
  await fleet.reset();
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(() => fleet?.stop());

interface Begun {
  supervisor: SupervisorProcess;
  workers: WorkerProcess[];
  admin: Redis;
}

/** A fleet behind a link or elsewhere, with an app that runs in both environments. */
async function begin(address?: string): Promise<Begun> {
  link = await faultyLink(fleet.redis.port);
  const admin = new Redis(fleet.redis.url);
  closing.push(
    () => link.close(),
    () => admin.disconnect(),
  );
  fleet.beat = BEAT;
  fleet.leadExpiry = 10_000;
  fleet.address = address ?? `redis://127.0.0.1:${link.port}/0`;
  const [supervisor, ...workers] = await fleet.begin(...BOTH);
  const created = await supervisor.create({ name: 'crm', environments: BOTH });
  expect(await supervisor.ends(created)).toBe('succeeded: env_a succeeded, env_b succeeded');
  await supervisor.toShow('crm', 'env_a running, env_b running');
  return { supervisor, workers, admin };
}

async function isTrue(supervisor: SupervisorProcess, app: string, shown: string, what: string) {
  const took = stopwatch();
  await until(
    `${app} to be ${shown}`,
    () => BOTH.every((name) => supervisor.health(name) === 'online') && supervisor.shows(app) === shown,
    WITHIN,
  );
  expect(took(`${what}: everything is true again`)).toBeLessThan(WITHIN);
}

async function survives(
  what: string,
  log: RegExp,
  { supervisor, workers }: Begun,
  fault: { begins(): unknown; ends(): unknown },
): Promise<void> {
  const boots = fleet.databases.journal.length;
  const watch = new FleetWatch(fleet, supervisor, () => workers, ['crm']);

  await fault.begins();
  const start = performance.now();
  const took = stopwatch();
  const all = [supervisor, ...workers];
  await until('All to see it', () => all.every((process) => process.log.lines.some((line) => log.test(line))), WITHIN);
  await until('It to be shown', () => BOTH.every((name) => supervisor.health(name) === 'unknown'), WITHIN);
  expect(took(`Redis ${what}: seen by all, and shown`)).toBeLessThan(WITHIN);
  // Accepted, and waits.
  const stop = await supervisor.parts.service.command('crm', 'stop', '1');
  await sleep(LASTS - (performance.now() - start));
  expect(fleet.databases.journal.slice(boots)).toEqual([]);

  await fault.ends();
  await isTrue(supervisor, 'crm', 'env_a stopped, env_b stopped', `Redis ${what}`);
  expect(await supervisor.ends(stop)).toBe('succeeded: env_a succeeded, env_b succeeded');
  expect(fleet.databases.journal.slice(boots).sort()).toEqual(['env_a ends crm', 'env_b ends crm']);
  expect(watch.end(), watch.story.join('\n')).toEqual([]);
  for (const environment of BOTH) expect(watch.shown.get(environment)).toEqual(['online', 'unknown', 'online']);
}

describe('Redis', () => {
  const FAULTS: Array<[what: string, log: RegExp, begins: (begun: Begun) => unknown, ends: (begun: Begun) => unknown]> =
    [
      ['vanishes without a reset', /is away: it does not answer/, () => link.swallow(), () => link.pass()],
      [
        'is full',
        /refuses commands: OOM/,
        ({ admin }) => admin.config('SET', 'maxmemory', '1'),
        ({ admin }) => admin.config('SET', 'maxmemory', '0'),
      ],
      [
        'is made a replica and keeps its connections',
        /cannot be used: it is a replica|refuses commands: READONLY/,
        ({ admin }) => admin.replicaof('127.0.0.1', 1),
        ({ admin }) => admin.replicaof('NO', 'ONE'),
      ],
    ];

  it.each(FAULTS)('%s', async (what, log, begins, ends) => {
    const begun = await begin();
    await survives(what, log, begun, { begins: () => begins(begun), ends: () => ends(begun) });
  });

  it.runIf(hasNamespaces())('is behind a network that drops every packet', async () => {
    const remote = await remoteRedis();
    closing.push(() => remote.stop());
    await survives('is behind a network that drops every packet', /is away/, await begin(remote.url), {
      begins: () => remote.drop(),
      ends: () => remote.pass(),
    });
  });

  it.each([50, 500, 2_000])(
    'answers %i ms later: changes take their time, and nothing is taken for dead',
    async (ms) => {
      const { supervisor, workers } = await begin();
      const watch = new FleetWatch(fleet, supervisor, () => workers, ['crm']);
      link.delay(ms);
      const took = stopwatch();
      const stop = await supervisor.parts.service.command('crm', 'stop', '1');
      expect(await supervisor.ends(stop)).toBe('succeeded: env_a succeeded, env_b succeeded');
      took(`An app is stopped in two environments, with Redis at ${ms} ms`);
      const created = await supervisor.create({ name: `late_${ms}`, environments: BOTH });
      expect(await supervisor.ends(created)).toBe('succeeded: env_a succeeded, env_b succeeded');
      await sleep(LASTS);
      link.delay(0);
      await isTrue(supervisor, `late_${ms}`, 'env_a running, env_b running', `Redis at ${ms} ms`);
      expect(watch.end(), watch.story.join('\n')).toEqual([]);
    },
  );
});
