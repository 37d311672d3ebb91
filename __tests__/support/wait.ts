import { waitFor } from '../../scripts/fleet/wait';

/** Asks every few ms until it is so; what is not so in time is an error that says what. */
export const until = <T>(what: string, probe: () => T | Promise<T>, timeout = 10_000): Promise<NonNullable<T>> =>
  waitFor(probe, { what, timeout, interval: 15 });
