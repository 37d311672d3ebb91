/**
 * Limits of what visitors may use at the same time, so that one app, or one address, does not take all that the others
 * need. Each default is beyond what 2,000 people behind one address do.
 */
export interface Bounds {
  /** Requests of one app that are under way: `APP_SUPERVISOR_MAX_REQUESTS_PER_APP`. */
  requestsPerApp: number;
  /** The same of all apps in one environment: `APP_SUPERVISOR_MAX_REQUESTS_PER_ENVIRONMENT`. */
  requestsPerEnvironment: number;
  /** Open WebSockets: `APP_SUPERVISOR_MAX_WEBSOCKETS_PER_APP`, `APP_SUPERVISOR_MAX_WEBSOCKETS_PER_ADDRESS`. */
  webSocketsPerApp: number;
  webSocketsPerAddress: number;
  /** Different apps that visits from one address may start in a minute: `APP_SUPERVISOR_MAX_WAKES_PER_ADDRESS`. */
  wakesPerAddress: number;
  /** Fields of one request: `APP_SUPERVISOR_MAX_HEADERS`. */
  headers: number;
  /**
   * Bytes of a body for the main app, other than a form with files, of somebody who is not signed in:
   * `APP_SUPERVISOR_MAX_ANONYMOUS_BODY`. The core parses it in the event loop that forwards all requests.
   */
  anonymousBody: number;
  /** After so many ms in which hardly anything of a body arrived, the request ends: `APP_SUPERVISOR_BODY_TIMEOUT`. */
  bodySilence: number;
}

export const BOUNDS: Bounds = {
  requestsPerApp: 10_000,
  requestsPerEnvironment: 20_000,
  webSocketsPerApp: 20_000,
  webSocketsPerAddress: 6_000,
  wakesPerAddress: 60,
  headers: 200,
  anonymousBody: 1_048_576,
  bodySilence: 120_000,
};
