import { describe, expect, it } from 'vitest';
import { staleIn } from '../../src/server/supervisor/rollout/stale';
import { type StatusEntry, statusEntry } from '../../src/shared/messages';
import { appOf, entryOf, publishedOf } from '../support/fixtures';

const app = appOf({ published: { env_a: publishedOf(), env_b: publishedOf() } });
const found = (entries: Record<string, Partial<StatusEntry>>) =>
  staleIn(app, (environment) => (entries[environment] ? entryOf(entries[environment]) : null));
const LACKS = { pendingChanges: ['jwtSecret'] };

describe('where an app is stale', () => {
  it.each<[string, Record<string, Partial<StatusEntry>>, { plugins?: string[]; jwtSecret?: string[] }]>([
    ['nowhere, when nothing is pending', { env_a: {}, env_b: {} }, {}],
    ['where its plugins changed', { env_a: {}, env_b: { pendingChanges: ['plugins'] } }, { plugins: ['env_b'] }],
    ['where it lacks the secret that it runs with elsewhere', { env_a: {}, env_b: LACKS }, { jwtSecret: ['env_b'] }],
    ['nowhere, when it runs with the secret nowhere', { env_a: LACKS, env_b: LACKS }, {}],
    ['nowhere, when the other has not read its newest record', { env_a: { generation: 9 }, env_b: LACKS }, {}],
    ['nowhere, when it does not run elsewhere', { env_a: { status: 'dormant' }, env_b: LACKS }, {}],
    ['nowhere, when another incarnation runs elsewhere', { env_a: { uid: 'uid-2' }, env_b: LACKS }, {}],
    ['nowhere, when nothing is known of the other', { env_b: LACKS }, {}],
    ['not where it does not run', { env_a: {}, env_b: { ...LACKS, status: 'error' } }, {}],
    ['not for other settings', { env_a: {}, env_b: { pendingChanges: ['options.database'] } }, {}],
  ])('%s', (_, entries, expected) => {
    expect(found(entries)).toEqual({ plugins: [], jwtSecret: [], ...expected });
  });

  it('supports a worker before 0.1.1, which uses another name, too', () => {
    const said = statusEntry.parse(entryOf({ pendingChanges: ['independentSecret', 'plugins'] }));
    expect(said.pendingChanges).toEqual(['jwtSecret', 'plugins']);
  });
});
