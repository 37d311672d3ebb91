import { describe, expect, it } from 'vitest';
import {
  asideOf,
  isAside,
  type NewContainer,
  verdictOn,
} from '../../src/server/supervisor/containers/container-upgrade';
import { containerOf } from '../../src/server/supervisor/joining/names';

describe('the former container of an upgrade', () => {
  const next = (status: NewContainer['status'], more: Partial<NewContainer> = {}): NewContainer => ({
    status,
    hasRun: true,
    restarts: 0,
    ...more,
  });

  it.each<[string, NewContainer | null, number, string]>([
    ['while the new one is made', null, 1_000, 'wait'],
    ['after the Supervisor has ended before it made the new one', null, 121_000, 'restore'],
    [
      'after the Supervisor has ended before it started the new one',
      next('stopped', { hasRun: false }),
      121_000,
      'restore',
    ],
    ['while the new one starts', next('starting'), 600_000, 'wait'],
    ['once the new one is ready', next('running'), 1_000, 'remove'],
    ['if the new one never becomes ready', next('unhealthy'), 1_000, 'restore'],
    ['if the new one ends', next('died'), 1_000, 'restore'],
    ['if the new one ends once and is started again', next('restarting', { restarts: 1 }), 1_000, 'wait'],
    ['if the new one ends again and again', next('restarting', { restarts: 3 }), 1_000, 'restore'],
    ['the same, seen while it starts', next('starting', { restarts: 3 }), 1_000, 'restore'],
    ['while somebody has stopped the new one', next('stopped'), 600_000, 'wait'],
  ])('%s', (_, found, since, verdict) => {
    expect(verdictOn(found, since)).toBe(verdict);
  });

  it('has a name that no environment gives', () => {
    expect(isAside(asideOf(containerOf('env_a')))).toBe(true);
    expect(isAside(containerOf('a.former'))).toBe(false);
  });
});
