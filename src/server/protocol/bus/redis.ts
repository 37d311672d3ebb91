import { say } from '../../../shared/message';
import { notification, reply, request } from '../../../shared/messages';
import type { Clock } from '../../clock';
import { AppSupervisorError, describeError } from '../../errors';
import type { Feed } from '../../feed';
import type { Log } from '../../log';
import type { Random } from '../../random';
import { RedisConnection } from '../connect';
import { type Envelope, SUPERVISOR } from '../envelope';
import type { Keys } from '../redis-keys';
import {
  type AskedSupervisor,
  type Audience,
  callHandler,
  type Failures,
  failuresOfSupervisor,
  failuresOfWorker,
  isForOthers,
  type MessageBus,
  type RequestHandlers,
} from '.';

type Request = ReturnType<typeof request.parse>;
type Reply = ReturnType<typeof reply.parse>;

/** A request under way. */
interface Pending {
  environment: string;
  take(answer: Reply): void;
}

/** How old a request may be that is answered, by the clocks of both, in ms; those that are younger are remembered. */
const ANSWERED_FOR = 300_000;
/** How long a request of a Worker may be, in characters. */
const LONGEST = 65_536;

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
  private readonly pending = new Map<string, Pending>();
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
      const pending = this.pending.get(id);
      // Late, of an earlier process of this name, or from somebody else.
      if (!pending) return;
      const body = this.envelope.decrypt(pending.environment, `${replies} ${id}`, sealed ?? '');
      const answer = body === null ? null : envelope.parse(replies, body, reply);
      if (answer) pending.take(answer);
    });
  }

  open(): void {
    this.publisher.open();
    this.subscriber.open();
  }

  notify(to: Audience, names: string[]): void {
    this.log.rooms.bus?.('Notifies', { to, names });
    const message = JSON.stringify({ names, from: this.instance });
    this.publisher.redis.publish(this.keys.notifications(to), message).catch(() => undefined);
  }

  async onNotify(me: Audience, listener: (names: string[]) => void): Promise<void> {
    const channel = this.keys.notifications(me);
    this.listen(channel, (text) => {
      const message = this.envelope.parse(channel, text, notification);
      if (!message || (isForOthers(me) && message.from === this.instance)) return;
      this.log.rooms.bus?.('Was notified', { names: message.names });
      listener(message.names);
    });
  }

  async request(environment: string, method: string, payload: unknown, timeout: number): Promise<unknown> {
    const channel = this.keys.requests(environment);
    const to = { environment, channel, place: channel, head: '' };
    return this.exchange(to, method, payload, timeout, failuresOfWorker(environment, timeout));
  }

  async ask(environment: string, method: string, payload: unknown, timeout: number): Promise<unknown> {
    const channel = this.keys.requests(SUPERVISOR);
    const to = { environment, channel, place: `${channel} ${environment}`, head: `${environment} ` };
    return this.exchange(to, method, payload, timeout, failuresOfSupervisor(timeout));
  }

  async serve(environment: string, handlers: RequestHandlers, isMine = () => true): Promise<void> {
    const channel = this.keys.requests(environment);
    this.listen(channel, (text) => {
      // Read in any case: what another process has answered is not repeated to this one.
      const message = this.read(environment, channel, channel, text);
      // If an answer cannot be sent, the caller waits until the deadline.
      if (message && isMine()) this.answer(environment, message, this.call(message, handlers)).catch(() => undefined);
    });
  }

  async serveWorkers({ knows, answer }: AskedSupervisor): Promise<void> {
    const channel = this.keys.requests(SUPERVISOR);
    const since = this.clock.now().wall;
    this.listen(channel, (text) => {
      const [environment, sealed] = text.length > LONGEST ? [] : text.split(' ');
      // A key is derived for whatever name is asked for.
      if (!environment || !knows(environment)) return this.envelope.refusals.note(channel, 'unreadable');
      const message = this.read(environment, channel, `${channel} ${environment}`, sealed ?? '');
      if (!message) return;
      // Another Supervisor, or a former process of this one, may have answered it.
      if (message.at < since) return this.envelope.refusals.note(channel, 'replayed');
      const { method, payload } = message;
      const outcome = this.isTimely(message) ? answer(environment, method, payload) : this.call(message, {});
      if (outcome) this.answer(environment, message, outcome).catch(() => undefined);
    });
  }

  async close(): Promise<void> {
    if (!this.shared) this.publisher.close();
    this.subscriber.close();
  }

  /** Sends a request, and waits for its answer. */
  private exchange(
    { environment, channel, place, head }: { environment: string; channel: string; place: string; head: string },
    method: string,
    payload: unknown,
    timeout: number,
    { silent, failed }: Failures,
  ): Promise<unknown> {
    const id = this.random.id();
    this.log.rooms.bus?.('Asks', { environment, method, id, timeout });
    return new Promise((resolve, reject) => {
      const finish = (end: () => void) => {
        timer.cancel();
        this.pending.delete(id);
        end();
      };
      const isSilent = () => finish(() => reject(silent()));
      const timer = this.clock.timeout(timeout, isSilent);
      const take = (answer: Reply) =>
        finish(() => (answer.ok ? resolve(answer.payload) : reject(failed(answer.error ?? say('NO_CAUSE')))));
      this.pending.set(id, { environment, take });
      const message = { id, replyTo: this.instance, method, payload, at: this.clock.now().wall };
      const sealed = this.envelope.encrypt(environment, place, JSON.stringify(message));
      this.publisher.redis.publish(channel, head + sealed).then((receivers) => receivers === 0 && isSilent(), isSilent);
    });
  }

  /** A request that comes for the first time; null if it is not to be answered. */
  private read(environment: string, channel: string, place: string, text: string): Request | null {
    const body = this.envelope.decrypt(environment, place, text);
    const message = body === null ? null : this.envelope.parse(channel, body, request);
    if (!message || !this.isRepeated(message)) return message;
    this.envelope.refusals.note(channel, 'replayed');
    return null;
  }

  private async answer(environment: string, { id, method, replyTo }: Request, work: Promise<unknown>): Promise<void> {
    this.log.rooms.bus?.('Is asked', { method, id });
    const outcome = await work.then(
      (payload) => ({ ok: true, payload }),
      (error) => ({ ok: false, error: describeError(error) }),
    );
    this.log.rooms.bus?.('Answers', { method, id, ok: outcome.ok });
    const channel = this.keys.replies(replyTo);
    const sealed = this.envelope.encrypt(environment, `${channel} ${id}`, JSON.stringify({ id, ...outcome }));
    await this.publisher.redis.publish(channel, `${id} ${sealed}`);
  }

  /** @throws AppSupervisorError CLOCKS_DIFFER for a request that may have been answered before this process began */
  private async call(message: Request, handlers: RequestHandlers): Promise<unknown> {
    if (this.isTimely(message)) return callHandler(handlers, message.method, message.payload);
    throw new AppSupervisorError('CLOCKS_DIFFER', { minutes: Math.round(this.apart(message) / 60_000) });
  }

  private isTimely(message: Request): boolean {
    return this.apart(message) <= ANSWERED_FOR;
  }

  private apart({ at }: Request): number {
    return Math.abs(this.clock.now().wall - at);
  }

  private isRepeated({ id, at }: Request): boolean {
    const isKnown = this.answered.has(id);
    const { wall } = this.clock.now();
    for (const [other, time] of this.answered)
      if (Math.abs(wall - time) > 2 * ANSWERED_FOR) this.answered.delete(other);
    this.answered.set(id, at);
    return isKnown;
  }

  private listen(channel: string, listener: (text: string) => void): void {
    this.listeners.set(channel, listener);
    if (this.subscriber.redis.status === 'ready') this.subscribeAll().catch(() => undefined);
  }

  private subscribeAll(): Promise<unknown> {
    return this.subscriber.redis.subscribe(...this.listeners.keys());
  }
}
