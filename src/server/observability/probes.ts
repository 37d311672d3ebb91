import type { IncomingMessage, ServerResponse } from 'node:http';

/**
 * `GET <API_BASE_PATH>__live` and `__ready`, for orchestrators, in every role and from the moment the process listens.
 * The core's own `__health_check` answers 503 while the main app installs, upgrades or restarts: a liveness probe on it
 * would kill a process that only waits, with all apps that still run.
 */
export interface ProbeState {
  /** The main app's status, in the core's words; undefined before there is one. */
  main: string | undefined;
  /** Whether the main app has ever started in this process. */
  begun: boolean;
  /** For a role that manages apps: whether requests are routed. */
  loaded: boolean | null;
  /** For a process that hosts apps: what it is in its environment; undefined before it has joined and after it has left. */
  role: string | null | undefined;
}

export interface ProbeAnswer {
  ok: boolean;
  state: string;
}

/**
 * False only if nothing but a new process helps: the core leaves a process running whose main app could not start, and
 * never retries. A main app that fails later does not affect the apps, so the orchestrator must not kill the process
 * either.
 */
export function liveness({ main, begun }: ProbeState): ProbeAnswer {
  return main === 'error' && !begun ? { ok: false, state: 'failed' } : { ok: true, state: 'live' };
}

/** Whether requests should be sent here. A restart of the main app does not affect the apps, so it does not count. */
export function readiness({ begun, loaded, role }: ProbeState): ProbeAnswer {
  if (!begun) return { ok: false, state: 'starting' };
  if (loaded === false) return { ok: false, state: 'loading' };
  switch (role) {
    case null:
    case 'holder':
    case 'holding':
      return { ok: true, state: 'ready' };
    // It hosts apps, and does not reach Redis.
    case 'alone':
      return { ok: true, state: 'alone' };
    case 'challenger':
    case 'ending':
      return { ok: false, state: 'standby' };
    case 'spent':
      return { ok: false, state: 'spent' };
    default:
      return { ok: false, state: 'joining' };
  }
}

/**
 * For `Gateway.registerRequestHandler`.
 * @param apiBase `API_BASE_PATH` without trailing slash
 */
export function createProbes(apiBase: string, readState: () => ProbeState) {
  const probes = new Map([
    [`${apiBase}/__live`, liveness],
    [`${apiBase}/__ready`, readiness],
  ]);
  /** Returns `false` if it has not answered; then the core continues. */
  return function probeBySupervisor(req: IncomingMessage, res: ServerResponse): boolean {
    const probe = probes.get((req.url ?? '').split('?', 1)[0]);
    if (!probe || (req.method !== 'GET' && req.method !== 'HEAD')) return false;
    const { ok, state } = probe(readState());
    res.writeHead(ok ? 200 : 503, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
    res.end(req.method === 'HEAD' ? undefined : JSON.stringify({ state }));
    return true;
  };
}
