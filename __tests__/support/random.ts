import type { Random } from '../../src/server/random';

/** Randomness that a seed decides (mulberry32): the same in every run. */
export class SeededRandom implements Random {
  constructor(private seed = 1) {}

  readonly fraction = (): number => {
    this.seed = (this.seed + 0x6d2b79f5) | 0;
    let bits = Math.imul(this.seed ^ (this.seed >>> 15), 1 | this.seed);
    bits = (bits + Math.imul(bits ^ (bits >>> 7), 61 | bits)) ^ bits;
    return ((bits ^ (bits >>> 14)) >>> 0) / 2 ** 32;
  };

  readonly hex = (bytes: number): string =>
    Array.from({ length: bytes }, () =>
      Math.floor(this.fraction() * 256)
        .toString(16)
        .padStart(2, '0'),
    ).join('');

  readonly id = (): string => this.hex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}
