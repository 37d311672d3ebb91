import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppSupervisorError } from '../errors';

/** How long the process waits for open requests, in ms; an open stream must not keep it alive. */
const PATIENCE = 3_000;

/**
 * A Supervisor that shuts down completes open requests, and answers later ones with "try again". The core closes the
 * main app's database first, and requests that still need it would get a 500 with a driver's text.
 */
export class GracefulShutdown {
  private leaving = false;
  private readonly open = new Set<ServerResponse>();
  private whenDone: (() => void) | null = null;

  constructor(private readonly patience = PATIENCE) {}

  /**
   * For `Gateway.registerRequestHandler`, after the handler that answers requests of other apps. Returns `false` if the
   * core continues.
   */
  readonly handle = (req: IncomingMessage, res: ServerResponse): boolean => {
    if (this.leaving) {
      const { code, params, message, status } = new AppSupervisorError('LEAVING');
      res.writeHead(status, { 'Content-Type': 'application/json', 'Retry-After': 3, Connection: 'close' });
      res.end(req.method === 'HEAD' ? undefined : JSON.stringify({ errors: [{ code, params, message }] }));
      return true;
    }
    this.open.add(res);
    res.once('close', () => {
      this.open.delete(res);
      if (!this.open.size) this.whenDone?.();
    });
    return false;
  };

  /** Accepts no more requests; returns when all open requests are answered, or after a while. */
  async leave(): Promise<void> {
    this.leaving = true;
    if (!this.open.size) return;
    await new Promise<void>((resolve) => {
      this.whenDone = resolve;
      setTimeout(resolve, this.patience);
    });
  }
}
