import type { Duplex } from 'node:stream';
import type { Clock } from '../clock';
import type { Bounds } from '../config/bounds';

/**
 * What visitors may send on WebSockets: a page of NocoBase sends its token once, and then little. NocoBase reads all of it in
 * the event loop that serves everybody.
 */
export type WebSocketBounds = Pick<Bounds, 'webSocketMessage' | 'webSocketMessages'>;

/** What may be used at once, and again over time. */
export class Bucket {
  private left: number;
  private since: number;

  /** @param now monotonic time, in ms */
  constructor(
    private readonly most: number,
    private readonly perSecond: number,
    now: number,
  ) {
    this.left = most;
    this.since = now;
  }

  /** @returns whether there was as much */
  take(amount: number, now: number): boolean {
    this.left = Math.min(this.most, this.left + ((now - this.since) / 1_000) * this.perSecond) - amount;
    this.since = now;
    return this.left >= 0;
  }
}

/**
 * Ends a connection on which more arrives, after its upgrade: two of the largest messages at once, and one in 16 s.
 * @param over called at most once
 */
export function boundSocket(socket: Duplex, { webSocketMessage }: WebSocketBounds, clock: Clock, over: () => void) {
  const bucket = new Bucket(2 * webSocketMessage, webSocketMessage / 16, clock.now().mono);
  const push = socket.push.bind(socket);
  // Node hands over what it has read with this method; a listener for data would start the reading.
  socket.push = (chunk: Buffer | null, ...more) => {
    if (chunk === null || bucket.take(chunk.length, clock.now().mono)) return push(chunk, ...more);
    socket.push = () => false;
    socket.destroy();
    over();
    return false;
  };
}

/** What is used of a server of `ws`. */
export interface MessageServer {
  options: { maxPayload?: number };
  on(event: 'connection', listener: (client: MessageClient) => void): unknown;
}
export interface MessageClient {
  on(event: 'message' | 'ping' | 'pong', listener: () => void): unknown;
  removeAllListeners(event: 'message' | 'ping' | 'pong'): unknown;
  terminate(): void;
}

/**
 * Ends a connection with a larger message, or with more messages, than it may have. The bytes do not tell: many
 * messages fit into few.
 * @param over called at most once for each connection with too many
 */
export function boundMessages(
  server: MessageServer,
  { webSocketMessage, webSocketMessages }: WebSocketBounds,
  clock: Clock,
  over: () => void,
): void {
  server.options.maxPayload = webSocketMessage;
  server.on('connection', (client) => {
    const bucket = new Bucket(webSocketMessages, webSocketMessages / 60, clock.now().mono);
    for (const event of EVENTS) {
      client.on(event, () => {
        if (bucket.take(1, clock.now().mono)) return;
        // What has arrived with it is still read, and nobody is told of it.
        for (const each of EVENTS) client.removeAllListeners(each);
        client.terminate();
        over();
      });
    }
  });
}

const EVENTS = ['message', 'ping', 'pong'] as const;
