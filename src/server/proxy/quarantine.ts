import type { Log } from '../log';
import type { RouteEnvironment } from './table';
import type { Failure } from './upstream-failures';

/**
 * Targets that the proxy currently avoids. Only failed connections put a target here, never its reported health, so an
 * observer that is disconnected cannot remove a worker from the table. Times are monotonic milliseconds.
 */
export class Quarantine {
  #quarantined = new Map<string, { until: number; proxyUrl: string; epoch: number | undefined }>();

  constructor(private readonly duration: number) {}

  /** @returns whether it was not in quarantine before, so that the caller logs once and not for each request */
  add(environment: RouteEnvironment, now: number): boolean {
    const already = this.has(environment, now);
    this.#quarantined.set(environment.name, {
      until: now + this.duration,
      proxyUrl: environment.proxyUrl,
      epoch: environment.epoch,
    });
    return !already;
  }

  /** Whether to avoid the environment. Refusals of another address or of another lease holder do not count. */
  has(environment: RouteEnvironment, now: number): boolean {
    if (this.#quarantined.size === 0) return false;
    const left = this.#quarantined.get(environment.name);
    if (!left) return false;
    // Without a lease nobody else holds it.
    const isSame = environment.epoch === undefined || environment.epoch === left.epoch;
    if (left.until > now && left.proxyUrl === environment.proxyUrl && isSame) return true;
    this.#quarantined.delete(environment.name);
    return false;
  }
}

interface Noting {
  quarantine: Quarantine;
  log: Log;
  now(): number;
  onUnreachable(environment: string): void;
}

/** A connection to an environment failed before it was established: requests avoid it for a while, and the Supervisor checks it. */
export function noteUnreachable(
  { quarantine, log, now, onUnreachable }: Noting,
  environment: RouteEnvironment,
  app: string,
  { cause }: Failure,
): void {
  const { name, proxyUrl } = environment;
  if (quarantine.add(environment, now()))
    log.warn(`Environment ${name} cannot be reached and is left for a while`, {
      environment: name,
      app,
      cause,
      proxyUrl,
    });
  onUnreachable(name);
}
