import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { desiredOf, nextGeneration, recordFor } from '../../src/server/supervisor/apps/repository';
import { appRecord } from '../../src/shared/messages';
import { appOf, publishedOf } from '../support/fixtures';

describe('generations', () => {
  it('increase with every change, whatever the clock, and are never behind it, not even after a restored backup', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(), (previous, now) => {
        const next = nextGeneration(previous, now);
        expect(next).toBeGreaterThan(previous);
        expect(next).toBeGreaterThanOrEqual(now);
      }),
    );
  });
});

describe('what a boot of the worker does', () => {
  it.each([
    ['running', 'withMain', 'running'],
    ['running', 'onVisit', 'onDemand'],
    ['stopped', 'withMain', 'stopped'],
    ['stopped', 'onVisit', 'stopped'],
  ] as const)('%s, %s: %s', (desired, startMode, expected) => {
    expect(desiredOf({ desired, startMode })).toBe(expected);
  });
});

describe('the record of an environment', () => {
  it('contains the definition and what was published there, and nothing that only the Supervisor needs', () => {
    const app = appOf({
      generation: 20,
      boot: { generation: 20, how: 'start' },
      sso: { enabled: true },
      hidden: true,
      icon: 'Shop',
    });
    const record = recordFor(app, publishedOf({ generation: 12, desired: 'stopped', claim: 'create' }));
    expect(appRecord.parse(record)).toEqual(record);
    expect(record).toMatchObject({
      generation: 12,
      boot: { generation: 12, how: 'start' },
      desired: 'stopped',
      claim: 'create',
      sso: { enabled: true },
      icon: null,
    });
    for (const key of ['hidden', 'published', 'targetEnvironment', 'createdAt']) expect(record).not.toHaveProperty(key);
  });

  it('contains the first administrator only where the app is installed', () => {
    const initialAdmin = { username: 'ada', email: null, password: 'a hash' };
    const app = appOf({ initialAdmin, claim: 'create' });
    const record = recordFor(app, publishedOf({ claim: 'create' }));
    expect(appRecord.parse(record)).toMatchObject({ initialAdmin });
    expect(recordFor(app, publishedOf({ claim: 'none' }))).not.toHaveProperty('initialAdmin');
    expect(recordFor({ ...app, initialAdmin: null }, publishedOf({ claim: 'create' }))).not.toHaveProperty(
      'initialAdmin',
    );
  });
});
