import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { type Fleet, query, waitFor } from '../../scripts/fleet';
import { sharedFleet } from '../setup/fleet';
import { bootsOf } from '../support/boots';
import { ask } from '../support/http';
import { Manager, statusIn } from '../support/manager';
import { stopwatch } from '../support/measure';

/** An app whose plugin takes its Worker's process down in the middle of each start (support/poison). */

const OTHERS = ['healthy', 'sound'];
/** A Worker's start, and that of its apps. */
const LONG = 180_000;
/** Four of those, each with a deadline of its own. */
const ALL_OF_IT = 900_000;

let fleet: Fleet;
let manager: Manager;
/** What its process has by itself. */
let nodeOptions: string;

beforeAll(async () => {
  fleet = await sharedFleet();
  nodeOptions = worker().env.NODE_OPTIONS!;
  manager = await Manager.of(fleet);
  await manager.clear('poison', ...OTHERS);
  for (const name of ['poison', ...OTHERS])
    await manager.create({ name, environments: ['env_b'], startMode: 'withMain' });
});

afterEach(async () => {
  await fleet.heal();
  await fleet.waitForWorkers();
});

afterAll(async () => {
  await manager.clear('poison', ...OTHERS);
  await worker().restartWith({ NODE_OPTIONS: nodeOptions });
});

const worker = () => fleet.worker('env_b');

const poisonWith = (title: string) =>
  query(fleet.postgresServer, 'poison', 'UPDATE "systemSettings" SET title = $1', [title]);

/** Waits until the process is gone, and takes note that it was meant to. */
async function dies(): Promise<void> {
  await waitFor(() => !worker().running, { timeout: LONG, what: 'The death of the Worker' });
  await worker().kill();
}

const run = async (names: string[]) =>
  (await Promise.all(names.map((name) => ask(worker().url, `/api/__app/${name}/app:getInfo`)))).every(
    ({ status }) => status === 200,
  );

it.each([
  ['by the end of the process', 'poison: exit'],
  ['by all of its memory', 'poison: memory'],
])(
  'a poison app is kept out after it took its Worker down three times %s, and all others run',
  async (_, poison) => {
    if (poison === 'poison: memory') {
      await worker().restartWith({ NODE_OPTIONS: `${nodeOptions} --max-old-space-size=1000` });
      await waitFor(() => run(['poison', ...OTHERS]), { timeout: LONG, what: 'All apps running' });
    }
    await poisonWith(poison);
    const before = bootsOf(fleet, 'poison').length;
    const { data } = await manager.api.post('apps:restart?filterByTk=poison');
    await dies();
    for (let time = 2; time <= 3; time++) {
      // It may die before it was ready.
      await worker()
        .start()
        .catch(() => undefined);
      await dies();
    }
    const took = stopwatch();
    await worker().start();
    const operation = await manager.ended(data[0], LONG);
    expect(operation).toMatchObject({ state: 'failed', steps: [{ error: { code: 'APP_CRASH_LOOP' } }] });
    const app = await manager.untilApp('poison', (row) => statusIn(row, 'env_b') === 'error', { what: 'kept out' });
    took('Worker started after the third death, until the app is kept out');
    expect(app.statuses.env_b.error).toMatchObject({ code: 'APP_CRASH_LOOP' });
    await waitFor(() => run(OTHERS), { timeout: LONG, what: 'All others running' });
    took('Worker started after the third death, until all others run');
    expect(bootsOf(fleet, 'poison')).toHaveLength(before + 3);

    // Mended, it comes back by a restart.
    await poisonWith('mended');
    await manager.command('restart', 'poison');
    expect((await ask(worker().url, '/api/__app/poison/app:getInfo')).status).toBe(200);
    expect(worker().running).toBe(true);
  },
  ALL_OF_IT,
);
