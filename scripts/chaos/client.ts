import { setTimeout as sleep } from 'node:timers/promises';
import { ADMIN, Api } from '../fleet';

/** Longer than the longest freeze. */
const PATIENCE = 45_000;

export interface Reply {
  status: number;
  body: any;
  text: string;
}

/** An administrator who keeps sending requests while the Supervisor is down and after it is back. */
export class Client {
  private token: string | null = null;

  constructor(private readonly url: string) {}

  async signIn(): Promise<void> {
    this.token = (await Api.signIn(this.url, ADMIN)).token;
  }

  /** One request. @throws if no complete answer arrives */
  async send(method: 'GET' | 'POST', action: string, body?: unknown): Promise<Reply> {
    const response = await fetch(`${this.url}/api/${action}`, {
      method,
      headers: {
        Authorization: `Bearer ${this.token}`,
        'X-Authenticator': 'basic',
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(PATIENCE),
    });
    const text = await response.text();
    return { status: response.status, body: text.startsWith('{') ? JSON.parse(text) : null, text };
  }

  /** Repeats a request until the Supervisor itself answers. */
  async read(action: string): Promise<any> {
    for (;;) {
      const reply = await this.send('GET', action).catch(() => null);
      if (reply?.status === 200) return reply.body;
      if (reply?.status === 401) await this.signIn().catch(() => {});
      await sleep(300);
    }
  }

  /**
   * Requests a change until there is an answer to it.
   *
   * @param recorded the Supervisor's operation for it, or null; called whenever the connection broke after the request
   * had been sent
   */
  async change<T>(action: string, body: unknown, recorded: () => Promise<T | null>): Promise<Reply | T> {
    for (;;) {
      try {
        const reply = await this.send('POST', action, body);
        // The Supervisor is running but not ready, or has restarted without its sessions: neither changed anything.
        if (reply.status !== 503 && reply.status !== 401) return reply;
        if (reply.status === 401) await this.signIn().catch(() => {});
      } catch (error) {
        const found = wasRefused(error) ? null : await recorded();
        if (found) return found;
      }
      await sleep(300);
    }
  }
}

const wasRefused = (error: unknown): boolean =>
  ((error as Error).cause as { code?: string } | undefined)?.code === 'ECONNREFUSED';
