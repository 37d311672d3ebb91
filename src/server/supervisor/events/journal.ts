import type { Event, SettingChange } from '../../../shared/event';
import { type Message, say } from '../../../shared/message';
import { type NotifierId, notifierName } from '../../../shared/notice';
import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { Random } from '../../random';
import { eventOf, ofApp } from '../definitions/change-events';
import type { EventStore } from '../definitions/event-store';
import type { AppDefinition } from '../definitions/repository';
import type { MainUser } from '../sso/vouching';

export interface ChangeJournalOptions {
  events: Pick<EventStore, 'append'>;
  clock: Clock;
  random: Random;
  log: Log;
}

const TEXTS = {
  cordon: 'CORDON_SET',
  uncordon: 'CORDON_LIFTED',
  drain: 'DRAIN_REQUESTED',
  forget: 'FORGET_REQUESTED',
  createContainer: 'CONTAINER_CREATED',
  startContainer: 'CONTAINER_STARTED',
  stopContainer: 'CONTAINER_STOPPED',
  restartContainer: 'CONTAINER_RESTARTED',
  upgradeContainer: 'CONTAINER_UPGRADED',
  restoreContainer: 'CONTAINER_RESTORED',
  destroyContainer: 'CONTAINER_REMOVED',
} as const;

/** Records what people change of environments, and where they sign in; what they change of apps is written with its operation. */
export class ChangeJournal {
  constructor(private readonly options: ChangeJournalOptions) {}

  /** Called once it is done. Never rejects: the change is made, and its answer must not say otherwise. */
  ofEnvironment(environment: string, what: keyof typeof TEXTS | Message, userId: string | null): Promise<void> {
    const message = typeof what === 'string' ? say(TEXTS[what], { environment }) : what;
    return this.note('change', environment, { environment, message, createdById: userId });
  }

  /** As `ofEnvironment`. */
  async ofNotifier(id: NotifierId, changes: SettingChange[], userId: string | null): Promise<void> {
    const message = say('NOTIFIER_CHANGED', { notifier: notifierName(id) });
    if (changes.length) await this.note('change', `notifier ${id}`, { message, createdById: userId, changes });
  }

  /** Never rejects: nobody waits for it. @param address of the visitor; null if it is not known for certain */
  ofSignIn(app: Pick<AppDefinition, 'name' | 'uid'>, user: MainUser, address: string | null): Promise<void> {
    const name = user.username ?? user.email ?? user.nickname ?? user.id;
    const message = say('SSO_ENTERED', { app: app.name, user: name, address: address ?? '?' });
    return this.note('signIn', app.uid, { ...ofApp(app), message, createdById: user.id });
  }

  /** Never rejects. */
  private async note(kind: Event['kind'], of: string, said: Pick<Event, 'message'> & Partial<Event>): Promise<void> {
    const { events, clock, random, log } = this.options;
    const at = clock.now().wall;
    const event = eventOf({ id: `${kind} ${of} ${at} ${random.hex(4)}`, kind, at, ...said });
    const about = {
      ...(event.appName && { app: event.appName }),
      ...(event.environment && { environment: event.environment }),
    };
    await events.append([event]).catch((error) => {
      log.warn(`The event ${event.message.code} could not be recorded: ${messageOf(error)}`, about);
    });
  }
}
