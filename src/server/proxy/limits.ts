/**
 * All time limits of the proxy. None limits a whole request, because exports and uploads may take any time; only
 * silence ends them (configurable-http-proxy#388 had to remove a total limit).
 */
export interface Limits {
  /** A worker that does not accept the connection within this time counts as unreachable. */
  connect: number;
  /** From an upgrade request to its answer. */
  handshake: number;
  /**
   * No byte in either direction; the same value as in NocoBase's own nginx template. Also ends slow readers and
   * half-open clients.
   */
  idle: number;
  /**
   * How long one side of a WebSocket may stay open after the other side has closed, and how long a visitor who already
   * has the answer may be silent in the middle of an upload.
   */
  linger: number;
  /** How long a target stays in quarantine after a failed connection. */
  quarantine: number;
}

export const LIMITS: Limits = {
  connect: 2_000,
  handshake: 10_000,
  idle: 600_000,
  linger: 5_000,
  quarantine: 5_000,
};
