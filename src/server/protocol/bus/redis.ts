import { say } from '../../../shared/message';
import { notification, reply, request } from '../../../shared/messages';
import type { Clock } from '../../clock';
import { AppSupervisorError, describeError } from '../../errors';
import { Feed } from '../../feed';
import type { Log } from '../../log';
import type { Random } from '../../random';
import { RedisConnection } from '../connect';
import type { Keys } from '../keys';
import { type Audience, callHandler, type MessageBus, type RequestHandlers } from '.';

/**
 * `MessageBus` on `APP_COMMAND_REDIS_URL`, with pub/sub. The 30 s comparison finds what it loses.
 *
 * It publishes on the connection of the stores if they are at the same address, and on one of its own otherwise.
 */
export class RedisBus implements MessageBus {
  readonly ignored = new Feed<string>();
  readonly returns: Feed<void>;
  private readonly publisher: RedisConnection;
  private readonly subscriber: RedisConnection;
  private readonly listeners = new Map<string, (text: string) => void>();
  private readonly waiting = new Map<string, (answer: ReturnType<typeof reply.parse>) => void>();

  constructor(
    address: string,
    private readonly keys: Keys,
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
    this.publisher.redis.on('close', () => this.subscriber.reconnect());
    this.subscriber.redis.on('message', (channel: string, text: string) => this.listeners.get(channel)?.(text));
    const replies = keys.replies(instance);
    this.listeners.set(replies, (text) => {
      const answer = this.parse(reply, text, replies);
      if (answer) this.waiting.get(answer.id)?.(answer);
    });
  }

  open(): void {
    this.publisher.open();
    this.subscriber.open();
  }

  notify(to: Audience, names: string[]): void {
    this.log.rooms.bus?.('Notifies', { to, apps: names });
    const message = JSON.stringify({ names, from: this.instance });
    this.publisher.redis.publish(this.notifyChannel(to), message).catch(() => undefined);
  }

  async onNotify(me: Audience, listener: (names: string[]) => void): Promise<void> {
    const channel = this.notifyChannel(me);
    this.listen(channel, (text) => {
      const message = this.parse(notification, text, channel);
      if (!message || (me === 'definitions' && message.from === this.instance)) return;
      this.log.rooms.bus?.('Was notified', { apps: message.names });
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
      this.waiting.set(id, (answer) =>
        finish(() =>
          answer.ok
            ? resolve(answer.payload)
            : reject(new AppSupervisorError('WORKER_FAILED', { environment, cause: answer.error ?? say('NO_CAUSE') })),
        ),
      );
      const message = { id, replyTo: this.instance, method, payload };
      this.publisher.redis.publish(this.keys.requests(environment), JSON.stringify(message)).then(
        (receivers) => receivers === 0 && finish(() => reject(silent())),
        () => finish(() => reject(silent())),
      );
    });
  }

  async serve(environment: string, handlers: RequestHandlers): Promise<void> {
    const channel = this.keys.requests(environment);
    this.listen(channel, (text) => {
      const message = this.parse(request, text, channel);
      // If an answer cannot be sent, the caller waits until the deadline.
      if (message) this.answer(message, handlers).catch(() => undefined);
    });
  }

  async close(): Promise<void> {
    if (!this.shared) this.publisher.close();
    this.subscriber.close();
  }

  private async answer(message: ReturnType<typeof request.parse>, handlers: RequestHandlers): Promise<void> {
    const { id, method } = message;
    this.log.rooms.bus?.('Is asked', { method, id });
    const outcome = await callHandler(handlers, message.method, message.payload).then(
      (payload) => ({ ok: true, payload }),
      (error) => ({ ok: false, error: describeError(error) }),
    );
    this.log.rooms.bus?.('Answers', { method, id, ok: outcome.ok });
    await this.publisher.redis.publish(this.keys.replies(message.replyTo), JSON.stringify({ id, ...outcome }));
  }

  private notifyChannel(to: Audience): string {
    if (to === 'supervisors') return this.keys.notifySupervisors();
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
      this.log.warn(`A message on channel ${channel} of the command Redis is not ours; it is ignored.`);
      this.ignored.emit(channel);
      return null;
    }
  }
}
