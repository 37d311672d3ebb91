import { describe, expect, it } from 'vitest';
import type { ContainerRow } from '../../src/shared/container';
import { ENVIRONMENT } from '../../src/shared/environment';
import { defaultsIn } from '../../src/shared/fields';
import { say } from '../../src/shared/message';
import type { EnvironmentRow } from '../../src/shared/types';
import { nearestLimit } from '../../src/ui/environments/limits';
import { found, placesOf, traitsOf } from '../../src/ui/environments/places';

const GB = 2 ** 30;
const usage = (heap: number, machine: number) => ({
  heap: { used: heap * GB, limit: 4 * GB },
  machine: { used: machine * GB, limit: 16 * GB },
  container: null,
  cpu: { used: 0.2, limit: 2 },
});
const row = (name: string, values: Partial<EnvironmentRow> = {}) =>
  ({
    ...defaultsIn(ENVIRONMENT, 'row'),
    ...{ name, url: `https://${name}.example.com`, proxyUrl: 'http://10.0.0.7:13000', instance: 'vm-7:12:ab' },
    ...{ appVersion: '2.2.15', health: 'online', warnings: [] },
    ...values,
  }) as EnvironmentRow;
const container = (environment: string) =>
  ({ environment, image: 'registry/worker:1', status: 'running' }) as ContainerRow;

describe('the list of environments', () => {
  const places = placesOf(
    [row('env_a'), row('env_b', { cordoned: true, warnings: [say('NO_CAUSE')] }), row('env_c', { health: 'down' })],
    [container('env_b'), container('env_z')],
  );
  const names = (text: string, traits: string[] = []) => found(places, text, traits).map(({ name }) => name);

  it('has each container in the row of its environment, and first those whose Worker has not joined yet', () => {
    expect(places.map(({ name, environment, container }) => [name, !!environment, !!container])).toEqual([
      ['env_z', false, true],
      ['env_a', true, false],
      ['env_b', true, true],
      ['env_c', true, false],
    ]);
  });

  it('is searched by words in any order: name, address, process, version and image', () => {
    expect(names('')).toHaveLength(4);
    expect(names('13000 ENV_b')).toEqual(['env_b']);
    expect(names('a.example')).toEqual(['env_a']);
    expect(names('vm-7 2.2.15')).toEqual(['env_a', 'env_b', 'env_c']);
    expect(names('worker:1')).toEqual(['env_z', 'env_b']);
    expect(names('env_a env_b')).toEqual([]);
  });

  it('is filtered by what is the matter: one of several is enough', () => {
    expect(names('', ['down', 'cordoned'])).toEqual(['env_b', 'env_c']);
    expect(names('', ['warned'])).toEqual(['env_b']);
    expect(names('', ['notJoined'])).toEqual(['env_z']);
    expect(names('env_c', ['cordoned'])).toEqual([]);
  });
});

it('the fullest limit of an environment is what it has least left of', () => {
  expect(nearestLimit(row('a', { usage: null }))).toBeNull();
  expect(nearestLimit(row('a', { usage: usage(1, 2) }))).toMatchObject({ of: 'heap', share: 25, isNear: false });
  const full = row('a', { usage: usage(1, 15) });
  expect(nearestLimit(full)).toMatchObject({ of: 'machine', share: 94, isNear: true });
  expect(traitsOf({ name: 'a', environment: full })).toEqual(['online', 'near']);
});
