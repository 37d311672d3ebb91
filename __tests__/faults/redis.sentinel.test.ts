import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { findProgram } from '../../scripts/lib/programs.mjs';
import { FleetWatch } from '../support/fleet-watch';
import { stopwatch } from '../support/measure';
import { Sentinels } from '../support/sentinels';
import { SmallFleet } from '../support/small-fleet';
import { until } from '../support/wait';

/** A failover among three real Sentinels, to a replica that lacks the newest writes, while apps are being changed. */

const WITHIN = 30_000;
const BOTH = ['env_a', 'env_b'];

describe.each(['redis', 'valkey'] as const)('%s with Sentinel', (program) => {
  let fleet: SmallFleet;
  let sentinels: Sentinels;
  beforeAll(async () => {
    fleet = await SmallFleet.start(`sentinel_${program}`, { wakeUps: true });
  });
  afterEach(async () => {
    await fleet.reset();
    await sentinels?.stop();
  });
  afterAll(() => fleet?.stop());

  it.runIf(findProgram(program))('fails over to an old copy: everything is true again within 30 s', async () => {
    sentinels = await Sentinels.start(program);
    fleet.beat = 5_000;
    fleet.leadExpiry = 10_000;
    fleet.address = sentinels.address;
    const [supervisor, ...workers] = await fleet.begin(...BOTH);
    workers.push(await fleet.worker('env_a'));
    const { service } = supervisor.parts;
    const succeeded = 'succeeded: env_a succeeded, env_b succeeded';
    const names = ['stopped', 'started', 'changed', 'deleted', 'quiet'];
    for (const name of names) {
      const created = await supervisor.create({ name, environments: BOTH });
      expect(await supervisor.ends(created)).toBe(succeeded);
    }
    expect(await supervisor.ends(await service.command('started', 'stop', '1'))).toBe(succeeded);

    // The replicas get no more of it.
    sentinels.link.swallowThose('PSYNC');
    const watch = new FleetWatch(fleet, supervisor, () => workers, names);
    const lost = [
      await service.command('stopped', 'stop', '1'),
      await service.command('started', 'start', '1'),
      await service.command('changed', 'restart', '1'),
      await service.destroy('deleted', 'keep', '1'),
      await supervisor.create({ name: 'created', environments: BOTH }),
    ];
    for (const operation of lost) expect(await supervisor.ends(operation)).toMatch(/^succeeded/);
    const quiet = () => fleet.databases.story('quiet').length + fleet.databases.story('changed').length;
    const before = { quiet: quiet(), port: await sentinels.primaryPort() };

    const took = stopwatch();
    sentinels.link.swallow();
    const during = [
      await service.command('stopped', 'start', '1'),
      await supervisor.create({ name: 'during', environments: BOTH }),
    ];
    await until('The failover', async () => {
      const port = await sentinels.primaryPort();
      return port !== 0 && port !== before.port;
    });
    took(`${program}: the primary vanishes, until Sentinels name another`);
    const tookAfter = stopwatch();
    const running = 'env_a running, env_b running';
    await until(
      'Everything to be true',
      () =>
        BOTH.every((name) => supervisor.health(name) === 'online') &&
        ['stopped', 'started', 'changed', 'created', 'during', 'quiet'].every((n) => supervisor.shows(n) === running) &&
        supervisor.shows('deleted') === 'nothing',
      WITHIN,
    ).catch((error) => {
      throw new Error(`${error.message}\n${watch.story.join('\n')}`);
    });
    for (const operation of during) expect(await supervisor.ends(operation)).toBe(succeeded);
    expect(tookAfter(`${program}: everything is true again after the failover`)).toBeLessThan(WITHIN);
    expect(took(`${program}: everything is true again after the primary vanished`)).toBeLessThan(WITHIN);

    // The old primary comes back, and is made a replica.
    sentinels.link.pass();
    const restart = await service.command('stopped', 'restart', '1');
    expect(await supervisor.ends(restart)).toBe(succeeded);
    expect(quiet()).toBe(before.quiet);
    expect(watch.end(), watch.story.join('\n')).toEqual([]);
    expect([...fleet.databases.owners.keys()].sort()).toEqual([...names, 'created', 'during'].sort());
  });
});
