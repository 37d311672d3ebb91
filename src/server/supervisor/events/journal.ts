import type { SettingChange } from '../../../shared/event';
import { type Message, say } from '../../../shared/message';
import type { NotifierId } from '../../../shared/notice';
import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { Random } from '../../random';
import { entered, environmentChanged, notifierChanged } from '../definitions/change-events';
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
  async ofEnvironment(environment: string, what: keyof typeof TEXTS | Message, userId: string | null): Promise<void> {
    const { events, clock, random, log } = this.options;
    const message = typeof what === 'string' ? say(TEXTS[what], { environment }) : what;
    const event = environmentChanged(environment, message, userId, clock.now().wall, random.hex(4));
    await events.append([event]).catch((error) => {
      log.warn(`A change of an environment could not be recorded: ${messageOf(error)}`, { environment });
    });
  }

  /** As `ofEnvironment`. */
  async ofNotifier(id: NotifierId, changes: SettingChange[], userId: string | null): Promise<void> {
    const { events, clock, random, log } = this.options;
    if (!changes.length) return;
    const event = notifierChanged(id, changes, userId, clock.now().wall, random.hex(4));
    await events.append([event]).catch((error) => {
      log.warn(`A change of notifications could not be recorded: ${messageOf(error)}`);
    });
  }

  /** Never rejects: nobody waits for it. @param address of the visitor; null if it is not known for certain */
  async ofSignIn(app: Pick<AppDefinition, 'name' | 'uid'>, user: MainUser, address: string | null): Promise<void> {
    const { events, clock, random, log } = this.options;
    const name = user.username ?? user.email ?? user.nickname ?? user.id;
    const event = entered(app, { id: user.id, name }, address ?? '?', clock.now().wall, random.hex(4));
    await events.append([event]).catch((error) => {
      log.warn(`A sign-in could not be recorded: ${messageOf(error)}`, { app: app.name });
    });
  }
}
