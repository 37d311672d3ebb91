import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { failed, say, verbatim } from '../../src/shared/message';
import { type StatusEvidence, shownStatus } from '../../src/shared/shown-status';
import { HEALTHS, STATUSES } from '../../src/shared/words';
import { entryOf } from '../support/fixtures';

const evidenceOf = (values: Partial<StatusEvidence> = {}): StatusEvidence => ({
  uid: 'uid-1',
  environment: 'env_a',
  generation: 12,
  published: 10,
  isUnderWay: true,
  health: 'online',
  healthSince: 50,
  observed: { entry: entryOf({ status: 'running', since: 20 }), at: 60 },
  ...values,
});

const evidence = fc.record({
  uid: fc.constantFrom('uid-1', 'uid-2'),
  environment: fc.constant('env_a'),
  generation: fc.nat(),
  published: fc.option(fc.nat()),
  isUnderWay: fc.boolean(),
  health: fc.constantFrom(...HEALTHS),
  healthSince: fc.nat(),
  observed: fc.option(
    fc.record({
      entry: fc
        .record({ uid: fc.constantFrom('uid-1', 'uid-2'), status: fc.constantFrom(...STATUSES), since: fc.nat() })
        .map(entryOf),
      at: fc.nat(),
    }),
  ),
});

describe('the shown status', () => {
  it('invariant 2: ignores a worker’s report without a live lease, and always that of another incarnation', () => {
    fc.assert(
      fc.property(evidence, (given) => {
        const shown = shownStatus(given);
        const living = given.health === 'online' || given.health === 'suspect' || given.health === 'stopping';
        const mine = given.observed?.entry.uid === given.uid ? given.observed : null;
        if (!living) expect(shown.status).toBe('unknown');
        else if (!mine)
          expect(shown.status).toBe(given.published === null && !given.isUnderWay ? 'not_found' : 'waiting');
        else expect(shown).toMatchObject({ status: mine.entry.status, since: mine.entry.since });
        // What it was proven by is its own word too.
        expect(shown.observedAt).toBe(mine ? mine.at : null);
      }),
    );
  });

  it('is the same for the same evidence, for any reader', () => {
    fc.assert(
      fc.property(evidence, (given) => {
        expect(shownStatus(structuredClone(given))).toEqual(shownStatus(given));
      }),
    );
  });

  it.each<[string, Partial<StatusEvidence>, object]>([
    ['a living worker’s word', {}, { status: 'running', since: 20, observedAt: 60 }],
    [
      'its message and its error',
      { observed: { entry: entryOf({ status: 'error', message: verbatim('m'), error: failed('e') }), at: 60 } },
      { status: 'error', since: 1, observedAt: 60, message: verbatim('m'), error: failed('e') },
    ],
    ['a suspect worker’s word', { health: 'suspect' }, { status: 'running', since: 20, observedAt: 60 }],
    ['a leaving worker’s word', { health: 'stopping' }, { status: 'running', since: 20, observedAt: 60 }],
    [
      'unknown of a worker that is down, since then, and when it was last proven',
      { health: 'down' },
      { status: 'unknown', since: 50, observedAt: 60, message: say('STATUS_DOWN', { environment: 'env_a' }) },
    ],
    [
      'unknown when the observer is blind',
      { health: 'unknown' },
      {
        status: 'unknown',
        since: 50,
        observedAt: 60,
        message: say('STATUS_DISCONNECTED'),
      },
    ],
    [
      'waiting for its turn since the change that brought it there, however old the app is',
      { observed: null, published: null },
      { status: 'waiting', since: 12, observedAt: null, message: say('STATUS_TURN_NOT_COME') },
    ],
    [
      'not deployed where nothing was published and no operation is under way',
      { observed: null, published: null, isUnderWay: false },
      { status: 'not_found', since: 12, observedAt: null, message: say('STATUS_NOT_DEPLOYED') },
    ],
    [
      'waiting for the environment’s first answer',
      { observed: null },
      { status: 'waiting', since: 10, observedAt: null, message: say('STATUS_NO_ANSWER', { environment: 'env_a' }) },
    ],
    [
      'waiting while the worker still speaks of an earlier app of the name',
      { observed: { entry: entryOf({ uid: 'uid-0' }), at: 60 } },
      { status: 'waiting', since: 10, observedAt: null, message: say('STATUS_NO_ANSWER', { environment: 'env_a' }) },
    ],
  ])('%s', (_, given, expected) => {
    expect(shownStatus(evidenceOf(given))).toEqual(expected);
  });
});
