import fs from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Fleet, type Instance, query } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { ask, Tab } from '../support/http';
import { Manager } from '../support/manager';
import { commandsOf, StatementLog } from '../support/traffic';
import { until } from '../support/wait';

const INFO = '/api/__app/observed/app:getInfo';

let fleet: Fleet;
let manager: Manager;

beforeAll(async () => {
  fleet = await sharedFleet();
  manager = await Manager.of(fleet);
  await manager.clear('observed');
  await manager.create({ name: 'observed', environments: ['env_a'], startMode: 'withMain' });
});

afterAll(() => manager.clear('observed'));

/** @returns what came, each answer counted by its status */
async function load(instance: Instance, path: string, requests: number): Promise<Record<number, number>> {
  const statuses: Record<number, number> = {};
  let left = requests;
  const one = async () => {
    while (left-- > 0) {
      const { status } = await ask(instance.url, path);
      statuses[status] = (statuses[status] ?? 0) + 1;
    }
  };
  await Promise.all(Array.from({ length: 8 }, one));
  return statuses;
}

describe('a request on its way', () => {
  const REQUESTS = 400;
  /** What the fleet does by itself meanwhile, at rest and for each second that the requests take. */
  const few = (seconds: number) => 100 + 30 * seconds;

  it.each([
    ['proxied by the Supervisor', () => fleet.supervisor],
    ['hosted by a Worker', () => fleet.worker('env_a')],
  ])('invariant 5: %s, makes no Redis call and no SQL query', async (_, instanceOf) => {
    const instance = instanceOf();
    const sql = await StatementLog.start(fleet);
    try {
      const begun = performance.now();
      const before = await commandsOf(fleet.redisUrl!);
      expect(await load(instance, INFO, REQUESTS)).toEqual({ 200: REQUESTS });
      const commands = (await commandsOf(fleet.redisUrl!)) - before;
      const counts = await sql.stop();
      const most = few((performance.now() - begun) / 1000);
      expect(commands).toBeLessThan(most);
      expect(counts.get(fleet.supervisor.database) ?? 0).toBeLessThan(most);
      expect(counts.get(fleet.worker('env_a').database) ?? 0).toBeLessThan(most);
      // In the app's own database the core does what it does for any app, such as the one that is hosted by nobody.
      expect(counts.get('observed') ?? 0).toBeLessThan((await queriesOfCore()) * REQUESTS + most);
    } finally {
      await sql.stop();
    }
  });

  /** What the same request costs where nothing of ours is in its way. */
  async function queriesOfCore(): Promise<number> {
    const requests = 50;
    const worker = fleet.worker('env_b');
    const sql = await StatementLog.start(fleet);
    await load(worker, '/api/app:getInfo', requests);
    return Math.round(((await sql.stop()).get(worker.database) ?? 0) / requests);
  }

  it('would be seen by the count', async () => {
    const sql = await StatementLog.start(fleet);
    for (let i = 0; i < 3; i++) await query(fleet.postgresServer, 'observed', 'SELECT 1');
    expect((await sql.stop()).get('observed')).toBeGreaterThanOrEqual(3);
  });
});

describe('telemetry', () => {
  it('is told by the Supervisor, through NocoBase’s own', async () => {
    const { supervisor } = fleet;
    // What was counted is told at the latest when the main app ends, which a restart does without the process.
    const restart = async () => {
      await manager.api.post('app:restart');
      await until('The restart', async () => (await ask(supervisor.url, '/api/__health_check')).status === 503);
      await supervisor.waitForHttp('/api/__health_check');
    };
    await restart();
    const begin = fs.statSync(supervisor.logFile).size;
    await load(supervisor, INFO, 20);
    await load(supervisor, '/api/__app/nosuch/app:getInfo', 3);
    const tab = (await Tab.open(supervisor.url, '/ws?__appName=observed')) as Tab;
    await manager.update('observed', { title: 'Seen' });

    await restart();
    tab.close();
    const told = exported(fs.readFileSync(supervisor.logFile).subarray(begin).toString());
    expect(sum(told, 'app_supervisor.proxy.requests', { environment: 'env_a', result: '2xx' })).toBe(20);
    expect(sum(told, 'app_supervisor.proxy.requests', { environment: 'env_a', result: '1xx' })).toBe(1);
    expect(sum(told, 'app_supervisor.proxy.requests', { environment: '', result: 'APP_NOT_FOUND' })).toBe(3);
    expect(sum(told, 'app_supervisor.proxy.duration', { environment: 'env_a' })).toBe(20);
    expect(sum(told, 'app_supervisor.proxy.websockets', { environment: 'env_a' })).toBe(1);
    expect(sum(told, 'app_supervisor.proxy.active_requests', { environment: 'env_a' })).toBe(0);
    expect(sum(told, 'app_supervisor.operations', { action: 'update', result: 'succeeded' })).toBe(1);
    expect(last(told, 'app_supervisor.environments', { health: 'online' })).toBe(2);
    expect(last(told, 'app_supervisor.apps', { environment: 'env_a', status: 'running' })).toBeGreaterThanOrEqual(1);
  });
});

describe('probes', () => {
  it.each([
    ['the Supervisor', () => fleet.supervisor],
    ['a Worker', () => fleet.worker('env_a')],
  ])('%s is live and ready', async (_, instanceOf) => {
    const { url } = instanceOf();
    expect(await ask(url, '/api/__live')).toMatchObject({ status: 200, json: { state: 'live' } });
    expect(await ask(url, '/api/__ready')).toMatchObject({ status: 200, json: { state: 'ready' } });
  });

  it('a Worker that starts is live from the first answer on, and ready once it takes part', async () => {
    const worker = fleet.worker('env_b');
    await worker.stop();
    const seen: string[] = [];
    const starting = worker.start();
    let ready = false;
    while (!ready) {
      const [live, state] = await Promise.all(
        ['/api/__live', '/api/__ready'].map((path) => ask(worker.url, path).catch(() => null)),
      );
      if (live && state) seen.push(`${live.status} ${state.json.state}`);
      ready = state?.status === 200;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await starting;
    expect(seen[0]).toBe('200 starting');
    expect(seen.every((answer) => answer.startsWith('200 '))).toBe(true);
    await manager.untilEnvironment('env_b', ({ health }) => health === 'online', { what: 'online' });
  });

  it('a main app that restarts takes nobody from its apps', async () => {
    const worker = fleet.worker('env_a');
    await (await worker.signIn()).post('app:restart');
    const core: number[] = [];
    // The core's own check fails meanwhile: that is what makes it useless for an orchestrator.
    await until(
      'The restart',
      async () => {
        expect(await ask(worker.url, '/api/__ready')).toMatchObject({ status: 200 });
        expect(await ask(worker.url, '/api/__live')).toMatchObject({ status: 200 });
        expect(await ask(worker.url, INFO)).toMatchObject({ status: 200 });
        core.push((await ask(worker.url, '/api/__health_check')).status);
        return core.includes(503) && core.at(-1) === 200;
      },
      120_000,
    );
  });
});

interface Point {
  name: string;
  attributes: Record<string, string>;
  value: number;
}

/** Of the console reader, which prints each metric as `console.dir` does. */
function exported(output: string): Point[] {
  const metrics = output.split(/^\{$/m).filter((block) => block.includes("name: 'app_supervisor."));
  return metrics.flatMap((block) => {
    const name = /name: '([^']+)'/.exec(block)![1];
    const points = [...block.matchAll(/attributes: \{([^}]*)\}[\s\S]*?(?:count|value): (-?\d+)/g)];
    return points.map(([, attributes, value]) => ({
      name,
      attributes: Object.fromEntries([...attributes.matchAll(/(\w+): '([^']*)'/g)].map(([, key, text]) => [key, text])),
      value: Number(value),
    }));
  });
}

function pick(points: Point[], name: string, attributes: Record<string, string>): number[] {
  const wanted = points.filter(
    (point) => point.name === name && Object.entries(attributes).every(([key, text]) => point.attributes[key] === text),
  );
  return wanted.map(({ value }) => value);
}

/** Exports tell what came since the one before. */
const sum = (points: Point[], name: string, attributes: Record<string, string>) =>
  pick(points, name, attributes).reduce((all, value) => all + value, 0);

const last = (points: Point[], name: string, attributes: Record<string, string>) =>
  pick(points, name, attributes).at(-1);
