import { say } from '../../../shared/message';
import { notification, reply, request } from '../../../shared/messages';
import type { Clock } from '../../clock';
import { AppSupervisorError, describeError } from '../../errors';
import type { Feed } from '../../feed';
import type { Log } from '../../log';
import type { Random } from '../../random';
import { RedisConnection } from '../connect';
import type { Envelope } from '../envelope';
import type { Keys } from '../keys';
import { type Audience, callHandler, isForOthers, type MessageBus, type RequestHandlers } from '.';

type Request = ReturnType<typeof request.parse>;
type Reply = ReturnType<typeof reply.parse>;

/** A request under way. */
interface Waiting {
  environment: string;
  take(answer: Reply): void;
}

/** How old a request may be that is answered, by the clocks of both, in ms; those that are younger are remembered. */
const ANSWERED_FOR = 300_000;

/**
 * `MessageBus` on `APP_COMMAND_REDIS_URL`, with pub/sub. The 30 s comparison finds what it loses.
 *
 * It publishes on the connection of the stores if they are at the same address, and on one of its own otherwise.
 */
export class RedisBus implements MessageBus {
  readonly returns: Feed<void>;
  private readonly publisher: RedisConnection;
  private readonly subscriber: RedisConnection;
  private readonly listeners = new Map<string, (text: string) => void>();
  private readonly waiting = new Map<string, Waiting>();
  /** Ids of requests that were answered, with their times: none is answered twice. */
  private readonly answered = new Map<string, number>();

  constructor(
    address: string,
    private readonly keys: Keys,
    private readonly envelope: Envelope,
    private readonly instance: string,
    private readonly log: Log,
    private readonly clock: Clock,
    private readonly random: Random,
    private readonly shared?: RedisConnection,
  ) {
    this.publisher =
      shared ??
      new RedisConnection({
        address,
        role: 'commands',
        log,
        clock,
        // A replica accepts what is published, and nobody hears it.
        probe: (redis) => redis.info('replication'),
      });
    this.subscriber = new RedisConnection({
      address,
      role: 'commands, listening',
      log,
      clock,
      // A connection that listens may do nothing else. This repeats all subscriptions on every connection: those requested
      // while Redis was down, and those lost with it.
      probe: () => this.subscribeAll(),
    });
    this.returns = this.subscriber.returns;
    // Both have to be on the same server: a connection that listens cannot find out what became of its server.
    this.publisher.redis.on('close', () => this.subscriber.reconnect(this.publisher.reason));
    this.subscriber.redis.on('message', (channel: string, text: string) => this.listeners.get(channel)?.(text));
    const replies = keys.replies(instance);
    this.listeners.set(replies, (text) => {
      const [id, sealed] = text.split(' ');
      const waiting = this.waiting.get(id);
      // Late, of an earlier process of this name, or from somebody else.
      if (!waiting) return;
      const body = this.envelope.decrypt(waiting.environment, `${replies} ${id}`, sealed ?? '');
      const answer = body === null ? null : this.parse(reply, body, replies);
      if (answer) waiting.take(answer);
    });
  }

  open(): void {
    this.publisher.open();
    this.subscriber.open();
  }

  notify(to: Audience, names: string[]): void {
    this.log.rooms.bus?.('Notifies', { to, names });
    const message = JSON.stringify({ names, from: this.instance });
    this.publisher.redis.publish(this.notifyChannel(to), message).catch(() => undefined);
  }

  async onNotify(me: Audience, listener: (names: string[]) => void): Promise<void> {
    const channel = this.notifyChannel(me);
    this.listen(channel, (text) => {
      const message = this.parse(notification, text, channel);
      if (!message || (isForOthers(me) && message.from === this.instance)) return;
      this.log.rooms.bus?.('Was notified', { names: message.names });
      listener(message.names);
    });
  }

  async request(environment: string, method: string, payload: unknown, timeout: number): Promise<unknown> {
    const id = this.random.id();
    this.log.rooms.bus?.('Asks', { environment, method, id, timeout });
    const silent = () => new AppSupervisorError('WORKER_SILENT', { environment, seconds: timeout / 1000 });
    return new Promise((resolve, reject) => {
      const timer = this.clock.timeout(timeout, () => finish(() => reject(silent())));
      const finish = (end: () => void) => {
        timer.cancel();
        this.waiting.delete(id);
        end();
      };
      const take = (answer: Reply) =>
        finish(() =>
          answer.ok
            ? resolve(answer.payload)
            : reject(new AppSupervisorError('WORKER_FAILED', { environment, cause: answer.error ?? say('NO_CAUSE') })),
        );
      this.waiting.set(id, { environment, take });
      const message = { id, replyTo: this.instance, method, payload, at: this.clock.now().wall };
      const channel = this.keys.requests(environment);
      const sealed = this.envelope.encrypt(environment, channel, JSON.stringify(message));
      this.publisher.redis.publish(channel, sealed).then(
        (receivers) => receivers === 0 && finish(() => reject(silent())),
        () => finish(() => reject(silent())),
      );
    });
  }

  async serve(environment: string, handlers: RequestHandlers): Promise<void> {
    const channel = this.keys.requests(environment);
    this.listen(channel, (text) => {
      const body = this.envelope.decrypt(environment, channel, text);
      const message = body === null ? null : this.parse(request, body, channel);
      if (!message) return;
      if (this.isRepeated(message)) return this.envelope.refusals.note(channel, 'replayed');
      // If an answer cannot be sent, the caller waits until the deadline.
      this.answer(environment, message, handlers).catch(() => undefined);
    });
  }

  async close(): Promise<void> {
    if (!this.shared) this.publisher.close();
    this.subscriber.close();
  }

  private async answer(environment: string, message: Request, handlers: RequestHandlers): Promise<void> {
    const { id, method, replyTo } = message;
    this.log.rooms.bus?.('Is asked', { method, id });
    const outcome = await this.call(message, handlers).then(
      (payload) => ({ ok: true, payload }),
      (error) => ({ ok: false, error: describeError(error) }),
    );
    this.log.rooms.bus?.('Answers', { method, id, ok: outcome.ok });
    const channel = this.keys.replies(replyTo);
    const sealed = this.envelope.encrypt(environment, `${channel} ${id}`, JSON.stringify({ id, ...outcome }));
    await this.publisher.redis.publish(channel, `${id} ${sealed}`);
  }

  /** @throws AppSupervisorError CLOCKS_DIFFER for a request that may have been answered before this process began */
  private async call({ method, payload, at }: Request, handlers: RequestHandlers): Promise<unknown> {
    const apart = Math.abs(this.clock.now().wall - at);
    if (apart > ANSWERED_FOR) throw new AppSupervisorError('CLOCKS_DIFFER', { minutes: Math.round(apart / 60_000) });
    return callHandler(handlers, method, payload);
  }

  private isRepeated({ id, at }: Request): boolean {
    const isKnown = this.answered.has(id);
    const { wall } = this.clock.now();
    for (const [other, time] of this.answered)
      if (Math.abs(wall - time) > 2 * ANSWERED_FOR) this.answered.delete(other);
    this.answered.set(id, at);
    return isKnown;
  }

  private notifyChannel(to: Audience): string {
    if (to === 'supervisors') return this.keys.notifySupervisors();
    if (to === 'doubts') return this.keys.notifyDoubts();
    return to === 'definitions' ? this.keys.wakeDefinitions() : this.keys.notifyEnvironment(to.environment);
  }

  private listen(channel: string, listener: (text: string) => void): void {
    this.listeners.set(channel, listener);
    if (this.subscriber.redis.status === 'ready') this.subscribeAll().catch(() => undefined);
  }

  private subscribeAll(): Promise<unknown> {
    return this.subscriber.redis.subscribe(...this.listeners.keys());
  }

  private parse<T>(schema: { parse(value: unknown): T }, text: string, channel: string): T | null {
    try {
      return schema.parse(JSON.parse(text));
    } catch {
      this.envelope.refusals.note(channel, 'unreadable');
      return null;
    }
  }
}
