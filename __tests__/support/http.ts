import http, { type IncomingHttpHeaders } from 'node:http';
import WebSocket from 'ws';

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  text: string;
  /** Of the core's error shape, `{error: {code}}`, or of ours, `{errors: [{code}]}`. */
  code: string | undefined;
  json: any;
}

export interface Ask {
  method?: string;
  headers?: Record<string, string>;
  body?: unknown;
  timeout?: number;
}

/**
 * One request, with its path exactly as given (`fetch` resolves `..` and keeps `Host` for itself).
 *
 * @throws when there is no answer in time
 */
export function ask(origin: string, path: string, options: Ask = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, body, timeout = 60_000 } = options;
  const { hostname, port } = new URL(origin);
  const text = body === undefined ? undefined : JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const request = http.request({
      hostname,
      port,
      path,
      method,
      agent: false,
      headers: { ...(text !== undefined && { 'Content-Type': 'application/json' }), ...headers },
    });
    const timer = setTimeout(
      () => request.destroy(new Error(`${method} ${path}: no answer in ${timeout} ms`)),
      timeout,
    );
    request.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.on('response', async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk);
      clearTimeout(timer);
      resolve(answerOf(response.statusCode ?? 0, response.headers, Buffer.concat(chunks).toString()));
    });
    request.end(text);
  });
}

function answerOf(status: number, headers: IncomingHttpHeaders, text: string): Answer {
  let json: any;
  try {
    json = JSON.parse(text);
  } catch {}
  return { status, headers, text, json, code: json?.error?.code ?? json?.errors?.[0]?.code };
}

/** A WebSocket as a browser tab has it, which keeps what comes. */
export class Tab {
  readonly messages: any[] = [];
  private readonly listeners = new Set<() => void>();

  private constructor(private readonly socket: WebSocket) {
    socket.on('error', () => {});
    socket.on('message', (data) => {
      this.messages.push(JSON.parse(String(data)));
      for (const listener of this.listeners) listener();
    });
  }

  /** @returns the open tab, or the answer that it got instead. */
  static open(origin: string, path: string, headers: Record<string, string> = {}): Promise<Tab | Answer> {
    const socket = new WebSocket(`${origin.replace(/^http/, 'ws')}${path}`, { headers, handshakeTimeout: 60_000 });
    const tab = new Tab(socket);
    return new Promise((resolve, reject) => {
      socket.once('open', () => resolve(tab));
      socket.once('error', reject);
      socket.once('unexpected-response', async (_, response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk);
        resolve(answerOf(response.statusCode ?? 0, response.headers, Buffer.concat(chunks).toString()));
      });
    });
  }

  send(message: unknown): void {
    this.socket.send(JSON.stringify(message));
  }

  /** The first message that is as wanted, of those that came and those to come. */
  message(wanted: (message: any) => boolean, timeout = 60_000): Promise<any> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.listeners.delete(poll);
        reject(new Error(`No such message within ${timeout} ms; came: ${JSON.stringify(this.messages)}`));
      }, timeout);
      const poll = () => {
        const found = this.messages.find(wanted);
        if (!found) return;
        clearTimeout(timer);
        this.listeners.delete(poll);
        resolve(found);
      };
      this.listeners.add(poll);
      poll();
    });
  }

  /** Resolves when it is closed, by whomever. */
  get closed(): Promise<void> {
    if (this.socket.readyState === WebSocket.CLOSED) return Promise.resolve();
    return new Promise((resolve) => this.socket.once('close', () => resolve()));
  }

  close(): void {
    this.socket.terminate();
  }
}
