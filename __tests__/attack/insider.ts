import Redis from 'ioredis';
import { query } from '../../scripts/fleet';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { createLog } from '../../src/server/log';
import { RedisBus } from '../../src/server/protocol/bus/redis';
import { Keyring } from '../../src/server/protocol/keyring';
import { Keys } from '../../src/server/protocol/redis-keys';
import { fingerprint } from '../../src/server/protocol/secrets';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import { containerOf, databaseOf } from '../../src/server/supervisor/joining/names';
import { testEnvelope } from '../support/envelope';
import { SimulatedWorker } from '../support/simulated-worker';
import type { Stage } from './stage';

/** The environment of the attacker. */
export const EVIL = 'env_evil';
/** Where it was said to be when it was added. */
export const EXPECTED = 'http://evil.example.test:13000';

const SILENT = createLog({ debug() {}, info() {}, warn() {}, error() {} });

/** What speaks the protocol of Workers with the key of the attacker. */
export interface Speaker {
  stores: RedisStores;
  bus: RedisBus;
  close(): Promise<void>;
}

/** A Worker that has what **Add environment** gives it, as any other has, and does with it what it likes. */
export class Insider {
  private readonly speakers: Speaker[] = [];
  readonly redis: Redis;

  private constructor(
    private readonly stage: Stage,
    /** All that it was given. */
    readonly variables: Record<string, string>,
  ) {
    this.redis = new Redis(variables.APP_SUPERVISOR_REDIS_URL);
  }

  /** Adds the environment, works with what its Worker gets, and leaves nothing of it. */
  static async use(stage: Stage, work: (insider: Insider) => Promise<string[]>): Promise<string[]> {
    const { api } = stage.manager;
    const { data } = await api.post('appEnvironments:join', { name: EVIL, url: EXPECTED });
    for (const { kind, commands } of data.steps) {
      const [command, ...words] = commands.split(' ');
      if (kind === 'redis') await stage.redis.call(command, ...words);
    }
    const lines = [...data.files.shell.matchAll(/^export (\w+)='(.*)'$/gm)] as RegExpMatchArray[];
    const insider = new Insider(stage, Object.fromEntries(lines.map(([, name, value]) => [name, value])));
    try {
      return await work(insider);
    } finally {
      await insider.end();
    }
  }

  /** @param environment by default its own; it has no other key for it @param url of Redis, by default as its own user */
  speak(environment = EVIL, url = this.variables.APP_SUPERVISOR_REDIS_URL): Speaker {
    const key = Buffer.from(this.variables.APP_SUPERVISOR_ENVIRONMENT_KEY, 'hex');
    const keyring = new Keyring({ fleetKey: null, environment: { name: environment, key }, atRest: null });
    const envelope = testEnvelope(SILENT, keyring);
    const keys = new Keys(this.stage.fleet.supervisor.env.APP_SUPERVISOR_KEY_PREFIX ?? 'app-supervisor');
    const stores = new RedisStores(url, keys, envelope, SILENT, systemRandom, systemClock);
    const bus = new RedisBus(url, keys, envelope, 'evil', SILENT, systemClock, systemRandom);
    stores.open();
    bus.open();
    const close = async () => {
      await bus.close();
      await stores.close();
    };
    this.speakers.push({ stores, bus, close });
    return { stores, bus, close };
  }

  /** As a Worker of this environment. */
  worker(speaker: Speaker, environment = EVIL): SimulatedWorker {
    const worker = new SimulatedWorker(environment, speaker, { appKey: this.variables.APP_KEY, aesKey: '' });
    worker.announce = () => speaker.bus.notify('supervisors', [environment]);
    // An app is created only where its database was looked at.
    const serves = speaker.bus.serve(environment, { checkDatabase: async () => ({ checks: [], verdict: 'free' }) });
    serves.catch(() => undefined);
    return worker;
  }

  /** As it may appear: with its own key, at the address that was expected. */
  get registration() {
    const fingerprints = { appKey: fingerprint(this.variables.APP_KEY), aesKey: null };
    return { hasOwnKey: true, url: EXPECTED, proxyUrl: EXPECTED, fingerprints };
  }

  private async end(): Promise<void> {
    const { manager, redis } = this.stage;
    for (const speaker of this.speakers) await speaker.close();
    this.redis.disconnect();
    const isKnown = (await manager.environments()).some(({ name }) => name === EVIL);
    // A lease of its own lasts for minutes.
    for (const key of ['lease', 'holder', 'standby']) await redis.del(this.stage.key(key, EVIL));
    if (isKnown) {
      await manager.untilEnvironment(EVIL, ({ health }) => health === 'down', { what: 'down' });
      await manager.api.post(`appEnvironments:forget?filterByTk=${EVIL}`);
    }
    await manager.clear('thief');
    await forgetJoin(this.stage);
  }
}

/** Removes what adding the environment has made: its main database, and its user of Redis. */
export async function forgetJoin({ fleet, redis }: Stage): Promise<void> {
  await query(fleet.postgresServer, 'postgres', `DROP DATABASE IF EXISTS ${databaseOf(EVIL)} WITH (FORCE)`);
  await redis.call('ACL', 'DELUSER', containerOf(EVIL));
}
