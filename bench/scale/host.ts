import { setTimeout as sleep } from 'node:timers/promises';
import { SimulatedDatabases, SimulatedHost } from '../../__tests__/support/simulated-host';
import { systemClock } from '../../src/server/clock';
import { BootQueue } from '../../src/server/worker/apps/boot-queue';
import { type Message, say, verbatim } from '../../src/shared/message';
import { type BootPace, sharedNow } from './messages';

/** Of a real start on an idle machine: its duration in ms, and the number of the core's progress messages. */
const BOOT = { takes: 1_500, messages: 340 };

/**
 * The apps of the benchmark are rows from the beginning: their databases exist and belong to them. Nothing that was
 * done is stored.
 */
class AnyDatabase extends SimulatedDatabases {
  override claim(): boolean {
    return false;
  }

  override note(): void {}
}

const databases = new AnyDatabase();

/**
 * The simulated host of tests, behind the plugin's own boot queue, with the duration and the messages of a real one.
 */
export class ScaleHost extends SimulatedHost {
  readonly begun: Array<{ app: string; at: number }> = [];
  readonly bootQueue: BootQueue;

  constructor(
    environment: string,
    private readonly pace: BootPace,
    private readonly tell: (app: string, message: Message) => void,
  ) {
    super(environment, databases);
    const concurrency = pace === 'real' ? 2 : 1_000;
    this.bootQueue = new BootQueue({ concurrency, interval: 0, intervalCap: 1 }, systemClock);
  }

  override unload(name: string): Promise<void> {
    this.begun.push({ app: name, at: sharedNow() });
    return super.unload(name);
  }

  protected override async work(name: string): Promise<void> {
    if (this.pace !== 'real') return;
    this.coreApps.setStatus(name, 'commanding');
    // In twenty portions: a timer for each message would cost more than the message.
    for (let portion = 0; portion < 20; portion++) {
      for (let i = 0; i < BOOT.messages / 20; i++) this.tell(name, verbatim(`loading plugin ${portion}.${i}`));
      await sleep(BOOT.takes / 20);
    }
  }

  override async endData(): Promise<Message> {
    return say('DATA_RELEASED');
  }

  override async pluginSet(): Promise<null> {
    return null;
  }
}
