import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { desiredOf, nextGeneration } from '../../src/server/supervisor/definitions/repository';

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
