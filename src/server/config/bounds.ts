import type { Variables } from './variables';

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
  /** Bytes of one message on a WebSocket: `APP_SUPERVISOR_MAX_WEBSOCKET_MESSAGE`. */
  webSocketMessage: number;
  /** Messages on one WebSocket in a minute: `APP_SUPERVISOR_MAX_WEBSOCKET_MESSAGES`. */
  webSocketMessages: number;
  /** Sign-ins from one address in a minute: `APP_SUPERVISOR_MAX_SIGN_INS_PER_ADDRESS`. */
  signInsPerAddress: number;
  /** Different apps that visits from one address may start in a minute: `APP_SUPERVISOR_MAX_WAKES_PER_ADDRESS`. */
  wakesPerAddress: number;
  /** Fields of one request: `APP_SUPERVISOR_MAX_HEADERS`. */
  headers: number;
  /**
   * Bytes of a body of somebody who is not signed in, and of a form what is outside of its files:
   * `APP_SUPERVISOR_MAX_ANONYMOUS_BODY`. NocoBase parses it in the event loop that serves all requests.
   */
  anonymousBody: number;
  /** Bytes of a form with files of somebody who is not signed in: `APP_SUPERVISOR_MAX_ANONYMOUS_UPLOAD`. */
  anonymousUpload: number;
  /** After so many ms in which hardly anything of a body arrived, the request ends: `APP_SUPERVISOR_BODY_TIMEOUT`. */
  bodySilence: number;
}

export const BOUNDS: Bounds = {
  requestsPerApp: 10_000,
  requestsPerEnvironment: 20_000,
  webSocketsPerApp: 20_000,
  webSocketsPerAddress: 6_000,
  webSocketMessage: 16_384,
  webSocketMessages: 60,
  signInsPerAddress: 600,
  wakesPerAddress: 60,
  headers: 200,
  anonymousBody: 65_536,
  // NocoBase's own limit of a file, and its form.
  anonymousUpload: 20_971_520 + 65_536,
  bodySilence: 120_000,
};

/** As the variables say, or the defaults. */
export function boundsOf(variables: Variables): Bounds {
  const bound = (name: string, fallback: number, most = 1_000_000) => variables.whole(name, 1, most, fallback);
  return {
    requestsPerApp: bound('APP_SUPERVISOR_MAX_REQUESTS_PER_APP', BOUNDS.requestsPerApp),
    requestsPerEnvironment: bound('APP_SUPERVISOR_MAX_REQUESTS_PER_ENVIRONMENT', BOUNDS.requestsPerEnvironment),
    webSocketsPerApp: bound('APP_SUPERVISOR_MAX_WEBSOCKETS_PER_APP', BOUNDS.webSocketsPerApp),
    webSocketsPerAddress: bound('APP_SUPERVISOR_MAX_WEBSOCKETS_PER_ADDRESS', BOUNDS.webSocketsPerAddress),
    webSocketMessage: variables.whole(
      'APP_SUPERVISOR_MAX_WEBSOCKET_MESSAGE',
      1_024,
      16_777_216,
      BOUNDS.webSocketMessage,
    ),
    webSocketMessages: bound('APP_SUPERVISOR_MAX_WEBSOCKET_MESSAGES', BOUNDS.webSocketMessages),
    signInsPerAddress: bound('APP_SUPERVISOR_MAX_SIGN_INS_PER_ADDRESS', BOUNDS.signInsPerAddress),
    wakesPerAddress: bound('APP_SUPERVISOR_MAX_WAKES_PER_ADDRESS', BOUNDS.wakesPerAddress),
    headers: variables.whole('APP_SUPERVISOR_MAX_HEADERS', 50, 1_000, BOUNDS.headers),
    anonymousBody: variables.whole('APP_SUPERVISOR_MAX_ANONYMOUS_BODY', 1_024, 1_073_741_824, BOUNDS.anonymousBody),
    anonymousUpload: variables.whole(
      'APP_SUPERVISOR_MAX_ANONYMOUS_UPLOAD',
      1_024,
      1_099_511_627_776,
      BOUNDS.anonymousUpload,
    ),
    bodySilence: 1_000 * variables.whole('APP_SUPERVISOR_BODY_TIMEOUT', 5, 86_400, BOUNDS.bodySilence / 1_000),
  };
}
