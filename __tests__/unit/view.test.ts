import { describe, expect, it } from 'vitest';
import type { AppDefinition } from '../../src/server/supervisor/definitions/repository';
import { FleetView, type FleetViewOptions } from '../../src/server/supervisor/fleet/view';
import type { StatusEntry } from '../../src/shared/messages';
import type { Health } from '../../src/shared/types';
import { appOf, entryOf, publishedOf } from '../support/fixtures';

const told = publishedOf();

/** An app of `env_b` that was taken from `env_a`, which says `entry` of it. */
function shown(entry: StatusEntry | null, health: Health, published: AppDefinition['published'] = { env_a: told }) {
  const app = appOf({ environments: ['env_b'], published: { ...published, env_b: told } });
  const said: Record<string, StatusEntry | null> = { env_a: entry, env_b: entryOf() };
  const observer = {
    environment: (name: string) => ({ health: name === 'env_a' ? health : 'online', since: 1 }),
    observed: (name: string) => said[name] && { entry: said[name], at: 1 },
  };
  const view = new FleetView({ observer, active: { of: () => [] } } as unknown as FleetViewOptions);
  return view
    .statusesOf(app)
    .map(([name, { status }]) => `${name} ${status}`)
    .join(', ');
}

describe('an environment from which an app was removed is shown', () => {
  it.each<[string, StatusEntry | null, Health, string]>([
    ['while it runs there', entryOf(), 'online', 'env_b running, env_a running'],
    ['when it is stopped there', entryOf({ status: 'stopped' }), 'online', 'env_b running, env_a stopped'],
    ['while it may run there, out of sight', entryOf(), 'down', 'env_b running, env_a unknown'],
    ['no more once it left', entryOf({ status: 'not_found' }), 'online', 'env_b running'],
    ['no more where nothing is known of it', null, 'online', 'env_b running'],
    ['no more where another app has its name', entryOf({ uid: 'uid-2' }), 'online', 'env_b running'],
  ])('%s', (_, entry, health, expected) => {
    expect(shown(entry, health)).toBe(expected);
  });

  it('no more once its removal is confirmed, whatever an old message says', () => {
    expect(shown(entryOf(), 'online', {})).toBe('env_b running');
  });
});
