import type { RouteEnvironment } from './table';

/**
 * Which targets are left alone right now. Only failed connections bring one here, never its reported health, so that a
 * blind observer cannot take a worker out of the table. Times are monotonic milliseconds.
 */
export class Quarantine {
  #left = new Map<string, { until: number; proxyUrl: string; epoch: number | undefined }>();

  constructor(private readonly duration: number) {}

  /** @returns whether it was not left already: the caller logs once, not once per request. */
  leave(environment: RouteEnvironment, now: number): boolean {
    const already = this.holds(environment, now);
    this.#left.set(environment.name, {
      until: now + this.duration,
      proxyUrl: environment.proxyUrl,
      epoch: environment.epoch,
    });
    return !already;
  }

  /** Whether to leave it; what another address or another holder of the lease refused does not count. */
  holds(environment: RouteEnvironment, now: number): boolean {
    if (this.#left.size === 0) return false;
    const left = this.#left.get(environment.name);
    if (!left) return false;
    if (left.until > now && left.proxyUrl === environment.proxyUrl && left.epoch === environment.epoch) return true;
    this.#left.delete(environment.name);
    return false;
  }
}
