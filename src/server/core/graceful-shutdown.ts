import type { IncomingMessage, ServerResponse } from 'node:http';
import { AppSupervisorError } from '../errors';

/** How long the process waits for what it has begun to answer, in ms; a stream that stays open must not keep it. */
const PATIENCE = 3_000;

/**
 * A Supervisor that is asked to end answers what it has begun to, and says "try again" to whatever comes after: the core closes
 * the main app's database first, and what still needs it then is answered 500 with a driver's words.
 */
export class GracefulShutdown {
  private leaving = false;
  private readonly open = new Set<ServerResponse>();
  private whenDone: (() => void) | null = null;

  constructor(private readonly patience = PATIENCE) {}

  /** For `Gateway.registerRequestHandler`, behind whatever answers requests of other apps; `false`: the core goes on. */
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

  /** Takes nothing more; returns when everything begun is answered, or after a while. */
  async leave(): Promise<void> {
    this.leaving = true;
    if (!this.open.size) return;
    await new Promise<void>((resolve) => {
      this.whenDone = resolve;
      setTimeout(resolve, this.patience);
    });
  }
}
