import { Agent, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Fleet, type Instance, query } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { type Front, startFront, startOwnNginx } from '../support/front';
import { Manager } from '../support/manager';
import { replicaOf } from '../support/replica';
import { until } from '../support/wait';

/**
 * Two Supervisors behind an nginx that runs docs/deploy/nginx.conf with one line more, and visitors of an app. Before each Supervisor
 * and each Worker stands the nginx of the image, which the containers have.
 */

const A_SECOND = 100;
/** The share of requests that may fail. */
const MAY_FAIL = 0.001;

let fleet: Fleet;
let second: Instance;
let front: Front;
const nginx = new Map<Instance, Front>();
const ENVIRONMENTS = ['env_a', 'env_b'];

beforeAll(async () => {
  fleet = await sharedFleet();
  const manager = await Manager.of(fleet);
  await manager.clear('shared');
  second = await replicaOf(fleet, 'supervisor');
  await second.start();
  await manager.create({ name: 'shared', environments: ENVIRONMENTS, startMode: 'withMain' });
  for (const instance of [fleet.supervisor, second]) nginx.set(instance, await startOwnNginx(instance, 'supervisor'));
  for (const name of ENVIRONMENTS) {
    const worker = fleet.worker(name);
    const own = await startOwnNginx(worker, 'worker');
    nginx.set(worker, own);
    await worker.restartWith({ ENVIRONMENT_PROXY_URL: own.url });
    await manager.confirmAddress(name, own.url);
  }
  front = await startFront(
    'nginx',
    [fleet.supervisor, second].map((each) => nginx.get(each)!.url),
  );
});

/** As the engine does with a container whose NocoBase has ended: its nginx ends, and is there again as docker/entrypoint.sh says. */
async function returned(supervisor: Instance): Promise<void> {
  const { url, stop } = nginx.get(supervisor)!;
  await stop();
  await supervisor.start();
  await until('The return of the one that was killed', async () => (await supervisor.waitForHttp('/api/__ready')).ok);
  nginx.set(supervisor, await startOwnNginx(supervisor, 'supervisor', Number(new URL(url).port)));
}

afterAll(async () => {
  await front?.stop();
  await fleet.heal();
  for (const name of ENVIRONMENTS)
    await fleet.worker(name).restartWith({ ENVIRONMENT_PROXY_URL: fleet.worker(name).url });
  for (const each of nginx.values()) await each.stop();
  await second?.stop();
  await until('The lead of the one that stays', () => leads(fleet.supervisor));
  await (await Manager.of(fleet)).clear('shared');
});

async function leads({ pid }: Instance): Promise<boolean> {
  const { rows } = await query(fleet.postgresServer, fleet.supervisor.database, 'SELECT * FROM "appSupervisorLeaders"');
  return String(rows[0]?.holder).includes(`:${pid}:`);
}

/** Visits the app at a steady rate, whatever becomes of the answers. */
class Load {
  readonly failures: string[] = [];
  asked = 0;
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 200 });
  private readonly open = new Set<Promise<void>>();
  private readonly timer = setInterval(() => this.visit(), 1_000 / A_SECOND);

  private visit(): void {
    this.asked++;
    const visit = new Promise<void>((resolve) => {
      const url = `${front.url}/api/__app/shared/systemSettings:get`;
      const fail = (why: string) => {
        this.failures.push(why);
        resolve();
      };
      request(url, { agent: this.agent, timeout: 10_000 }, (answer) => {
        answer.resume();
        answer.on('end', () => (answer.statusCode === 200 ? resolve() : fail(String(answer.statusCode))));
        answer.on('error', (error) => fail(error.message));
      })
        .on('error', (error) => fail(error.message))
        .end();
    });
    this.open.add(visit);
    void visit.then(() => this.open.delete(visit));
  }

  async end(): Promise<void> {
    clearInterval(this.timer);
    await Promise.all(this.open);
    this.agent.destroy();
  }
}

it.each(['leads', 'follows'])(
  'of two Supervisors, the one that %s is killed under load: visitors go on',
  async (which) => {
    const isLeader = await leads(fleet.supervisor);
    const victim = (which === 'leads') === isLeader ? fleet.supervisor : second;
    const load = new Load();
    await sleep(5_000);
    await victim.kill();
    // Longer than the lead needs to pass on.
    await sleep(15_000);
    await returned(victim);
    await sleep(5_000);
    await load.end();
    const { asked, failures } = load;
    console.log(
      `measured: the one that ${which} killed: ${failures.length} of ${asked} requests failed, ${A_SECOND} a second`,
    );
    expect(asked).toBeGreaterThan(20 * A_SECOND);
    expect(failures.length, failures.slice(0, 10).join()).toBeLessThan(asked * MAY_FAIL);
  },
);

it('NocoBase of a Worker is killed under load behind its nginx: visitors of an app with another environment go on', async () => {
  const victim = fleet.worker('env_a');
  const load = new Load();
  await sleep(5_000);
  await victim.kill();
  await sleep(15_000);
  await victim.start();
  await sleep(5_000);
  await load.end();
  const { asked, failures } = load;
  console.log(
    `measured: a Worker behind its nginx killed: ${failures.length} of ${asked} requests failed, ${A_SECOND} a second`,
  );
  expect(failures.length, failures.slice(0, 10).join()).toBeLessThan(asked * MAY_FAIL);
});
