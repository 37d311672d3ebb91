import type { EventEmitter } from 'node:events';
import { liveness, type ProbeState } from '../observability/probes';

/** Time for the core to write why, in ms. */
const LAST_WORDS = 1_000;

/**
 * Ends a process whose main app could not start, with 1. The core leaves it running and never tries again, so nothing but a new
 * process helps; whatever runs the process (an engine of containers, systemd, pm2) starts one.
 */
export function endAfterFailedStart(
  host: EventEmitter,
  probeState: () => ProbeState,
  exit: (code: number) => void = process.exit,
): void {
  host.on('appStatusChanged', ({ appName }: { appName: string }) => {
    if (appName !== 'main' || liveness(probeState()).ok) return;
    console.error('App Supervisor: NocoBase could not start, as the log says. The process ends, to be started again.');
    setTimeout(() => exit(1), LAST_WORDS);
  });
}
