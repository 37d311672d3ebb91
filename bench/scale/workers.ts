import { randomUUID } from 'node:crypto';
import { waitFor } from '../../scripts/fleet';
import { systemClock } from '../../src/server/clock';
import { systemRandom } from '../../src/server/core/system';
import { createLog } from '../../src/server/log';
import { RedisBus } from '../../src/server/protocol/bus/redis';
import { Envelope } from '../../src/server/protocol/envelope';
import { fleetKeyOf, Keyring } from '../../src/server/protocol/keyring';
import { Keys } from '../../src/server/protocol/redis-keys';
import { Refusals } from '../../src/server/protocol/refusals';
import { RedisStores } from '../../src/server/protocol/stores/redis';
import { WorkerPart } from '../../src/server/worker/worker';
import { SharedIndex } from './app-index';
import { ScaleHost } from './host';
import { mainAppOf, makeLeases } from './main-app';
import type { Answered, Ask, BootPace, WorkersSetup } from './messages';

/**
 * Many Workers in one process: the plugin's own Worker services (lease, app controller, reporter, connections), each as
 * in a process of its own. Simulated are the host's core (`ScaleHost`), the snapshot, which is kept in memory, and the app index, which they
 * read together.
 */

const tell = (message: string) => console.error(message);
/** Of Workers that have nothing to warn of. */
const LOG = createLog({ debug() {}, info() {}, warn: tell, error: tell });
/** Number of Workers that start at the same time: each opens two connections to the database server, and keeps one. */
const AT_ONCE = 20;

interface SimulatedWorker {
  part: WorkerPart;
  host: ScaleHost;
  close(): Promise<void>;
}

let setup: WorkersSetup;
let workers: SimulatedWorker[] = [];
let appIndex = new SharedIndex();

async function start(environment: string, pace: BootPace): Promise<SimulatedWorker> {
  const keys = new Keys('app-supervisor');
  const instance = `${environment}:${randomUUID().slice(0, 8)}`;
  const aesKey = Buffer.from(setup.aesKey, 'hex');
  const keyring = new Keyring({ fleetKey: fleetKeyOf(aesKey), environment: null, atRest: aesKey });
  const envelope = new Envelope(keyring, new Refusals(LOG, systemClock));
  const stores = new RedisStores(setup.redisUrl, keys, envelope, LOG, systemRandom, systemClock);
  const bus = new RedisBus(setup.redisUrl, keys, envelope, instance, LOG, systemClock, systemRandom, stores.shared);
  stores.open();
  bus.open();
  const host = new ScaleHost(environment, pace, (app, message) => part.controller?.apps.reportProgress(app, message));
  host.coreApps.apps.main = await mainAppOf(setup);
  const url = `http://127.0.0.1:1/${environment}`;
  const part: WorkerPart = new WorkerPart({
    coreApps: host.coreApps,
    host: host.asHost,
    bootQueue: host.bootQueue,
    stores,
    bus,
    environment: { name: environment, url, proxyUrl: url, serves: true, heartbeatInterval: 5_000 },
    only: null,
    publicUrl: null,
    instance,
    aesKey,
    appKey: setup.appKey,
    clock: systemClock,
    random: systemRandom,
    log: LOG,
    warnings: [],
    handlers: {},
  });
  Object.assign(part, { appIndex: appIndex.of(stores.appIndex) });
  part.start();
  await waitFor(() => part.role === 'holder', { timeout: 60_000, interval: 20, what: `A lease of ${environment}` });
  return {
    part,
    host,
    close: async () => {
      await part.prepareToLeave();
      await part.stop();
      await bus.close();
      await stores.close();
    },
  };
}

let visiting: NodeJS.Timeout | undefined;

/** As the core does for each request to an app: notes when it was seen, and has it started if it does not run. */
function visit(perSecond: number): void {
  clearInterval(visiting);
  if (!perSecond) return;
  const places = workers.flatMap(({ part, host }) =>
    (part.controller?.apps.names() ?? []).map((app) => ({ part, host, app })),
  );
  const begun = performance.now();
  let done = 0;
  visiting = setInterval(() => {
    const wanted = ((performance.now() - begun) * perSecond) / 1_000;
    for (; done < wanted; done++) {
      // A step that is prime to the number of apps reaches all of them.
      const { part, host, app } = places[(done * 7_919) % places.length];
      host.coreApps.lastSeenAt.set(app, Math.floor(Date.now() / 1_000));
      part.visit(app);
    }
  }, 10);
}

async function answer(ask: Ask): Promise<Partial<Answered>> {
  switch (ask.do) {
    case 'setup':
      setup = ask.setup;
      await makeLeases(setup);
      return {};
    case 'start':
      for (let i = 0; i < ask.environments.length; i += AT_ONCE) {
        const some = ask.environments.slice(i, i + AT_ONCE);
        workers.push(...(await Promise.all(some.map((environment) => start(environment, ask.pace)))));
      }
      return {};
    case 'stop':
      await Promise.all(workers.map((worker) => worker.close()));
      workers = [];
      appIndex = new SharedIndex();
      return {};
    case 'visit':
      visit(ask.perSecond);
      return {};
    case 'begun':
      return { begun: workers.flatMap(({ host }) => host.begun.splice(0)) };
  }
}

process.on('message', ({ id, ask }: { id: number; ask: Ask }) => {
  answer(ask).then(
    (found) => process.send?.({ id, ...found }),
    (error) => process.send?.({ id, error: String(error?.stack ?? error) }),
  );
});
process.on('disconnect', () => process.exit());
