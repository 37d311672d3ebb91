/**
 * Every time limit of the proxy. None bounds a whole request: exports and uploads take what they take; only silence ends
 * them (configurable-http-proxy#388 had to take a total limit back).
 */
export interface Limits {
  /** A worker that does not take the connection in this time counts as not there. */
  connect: number;
  /** From an upgrade request to its answer. */
  handshake: number;
  /** No byte in either direction; as NocoBase's own nginx template has it. Also ends slow readers and half-open clients. */
  idle: number;
  /** How long one side of a WebSocket may stay open after the other has said goodbye. */
  linger: number;
  /** How long a target that failed to connect is left alone. */
  quarantine: number;
}

export const LIMITS: Limits = {
  connect: 2_000,
  handshake: 10_000,
  idle: 600_000,
  linger: 5_000,
  quarantine: 5_000,
};
