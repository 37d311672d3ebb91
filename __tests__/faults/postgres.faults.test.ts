import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { FaultyPostgres, POSTGRES_FAULTS } from '../support/faulty-postgres';
import { FleetWatch } from '../support/fleet-watch';
import { stopwatch } from '../support/measure';
import { SmallFleet } from '../support/small-fleet';
import { until } from '../support/wait';

/**
 * The PostgreSQL of the Supervisor, or of one Worker, fails for a while, and that of the others does not. Nothing that runs
 * is stopped or booted, no Worker is shown down, and within 30 s of the end changes work as before.
 */

const WITHIN = 30_000;
const LASTS = 12_000;
const BOTH = ['env_a', 'env_b'];
const SUCCEEDED = 'succeeded: env_a succeeded, env_b succeeded';

let fleet: SmallFleet;
let postgres: FaultyPostgres;

beforeAll(async () => {
  postgres = await FaultyPostgres.start();
});
afterEach(async () => {
  await fleet?.stop();
});
afterAll(() => postgres?.stop());

describe.each(['supervisor', 'env_a'])('the PostgreSQL of %s', (part) => {
  async function begin(name: string) {
    fleet = await SmallFleet.start(`pg_${part}_${name.replace(/\W/g, '_')}`, { wakeUps: true });
    fleet.beat = 5_000;
    fleet.leadExpiry = 10_000;
    fleet.servers.set(part, postgres.server);
    const [supervisor, ...workers] = await fleet.begin(...BOTH);
    expect(await supervisor.ends(await supervisor.create({ name: 'crm', environments: BOTH }))).toBe(SUCCEEDED);
    await supervisor.toShow('crm', 'env_a running, env_b running');
    return { supervisor, workers };
  }

  it.each(POSTGRES_FAULTS)('$what', async ({ what, begins, ends }) => {
    const { supervisor, workers } = await begin(what);
    const before = fleet.databases.journal.length;
    const watch = new FleetWatch(fleet, supervisor, () => workers, ['crm']);
    await begins(postgres);
    await sleep(LASTS);
    expect(fleet.databases.journal.slice(before)).toEqual([]);
    expect(watch.shown.get('crm'), watch.story.join('\n')).toEqual(['env_a running, env_b running']);
    await ends(postgres);
    const took = stopwatch();
    const restart = await until(
      'A change to be accepted',
      () => supervisor.parts.service.command('crm', 'restart', '1').catch(() => null),
      WITHIN,
    );
    expect(await supervisor.ends(restart)).toBe(SUCCEEDED);
    await until('The app to run', () => supervisor.shows('crm') === 'env_a running, env_b running', WITHIN);
    expect(took(`PostgreSQL of ${part} ${what}: changes work again`)).toBeLessThan(WITHIN);
    expect(watch.end(), watch.story.join('\n')).toEqual([]);
  });

  it('fails over to an older copy', async () => {
    const { supervisor, workers } = await begin('older');
    const failOver = await postgres.copy(fleet.database(part));
    const { service } = supervisor.parts;
    const stop = await until('A change to be accepted', () => service.command('crm', 'stop', '1').catch(() => null));
    expect(await supervisor.ends(stop)).toBe(SUCCEEDED);
    const watch = new FleetWatch(fleet, supervisor, () => workers, ['crm']);
    await failOver();
    const took = stopwatch();
    // What the Supervisor's database says holds; a Worker's snapshot is written anew.
    const shown = part === 'supervisor' ? 'env_a running, env_b running' : 'env_a stopped, env_b stopped';
    await until(shown, () => supervisor.shows('crm') === shown, WITHIN + 10_000).catch((error) => {
      throw new Error(`${error.message}\n${watch.story.join('\n')}`);
    });
    took(`PostgreSQL of ${part} fails over to an older copy: it is as the copy says`);
    const restart = await service.command('crm', 'restart', '1');
    expect(await supervisor.ends(restart)).toBe(SUCCEEDED);
    await supervisor.toShow('crm', 'env_a running, env_b running');
    expect(watch.end(), watch.story.join('\n')).toEqual([]);
  });
});
