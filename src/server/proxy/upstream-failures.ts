/** A failure between this proxy and a worker, in the three categories that need different handling. */
export interface Failure {
  code: 'UPSTREAM_REFUSED' | 'UPSTREAM_TIMEOUT' | 'UPSTREAM_RESET';
  /** The target was not reachable at all: put it into quarantine. */
  unreachable: boolean;
  /** Node's or OpenSSL's code, for the log. */
  cause: string;
}

export const CONNECT_TIMEOUT = 'APP_PROXY_CONNECT_TIMEOUT';
export const IDLE_TIMEOUT = 'APP_PROXY_IDLE_TIMEOUT';

/** Missing resources of this process: not the target's fault. */
const LOCAL_SHORTAGES = new Set(['EMFILE', 'ENFILE', 'EADDRNOTAVAIL', 'ENOBUFS', 'ENOMEM']);

/** @param connected whether a connection to the worker had been established */
export function classify(error: unknown, connected: boolean): Failure {
  const cause = String((error as NodeJS.ErrnoException | null)?.code ?? 'unknown');
  if (connected)
    return { code: cause === IDLE_TIMEOUT ? 'UPSTREAM_TIMEOUT' : 'UPSTREAM_RESET', unreachable: false, cause };
  const late = cause === CONNECT_TIMEOUT || cause === 'ETIMEDOUT';
  return { code: late ? 'UPSTREAM_TIMEOUT' : 'UPSTREAM_REFUSED', unreachable: !LOCAL_SHORTAGES.has(cause), cause };
}

export function timeout(code: string): Error {
  return Object.assign(new Error(code === CONNECT_TIMEOUT ? 'connect timeout' : 'idle timeout'), { code });
}
