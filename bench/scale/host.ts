import { setTimeout as sleep } from 'node:timers/promises';
import { SimulatedDatabases, SimulatedHost } from '../../__tests__/support/simulated-host';
import { systemClock } from '../../src/server/core/system';
import { BootQueue } from '../../src/server/worker/apps/boot-queue';
import type { BootOutcome, BootTurn } from '../../src/server/worker/hosting/boot-turn';
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
  private readonly boots: BootQueue;

  constructor(
    environment: string,
    private readonly pace: BootPace,
    private readonly tell: (app: string, message: Message) => void,
  ) {
    super(environment, databases);
    this.boots = new BootQueue({ concurrency: pace === 'real' ? 2 : 1_000, interval: 0, intervalCap: 1 }, systemClock);
  }

  override boot(name: string, turn: BootTurn): Promise<BootOutcome | null> {
    this.begun.push({ app: name, at: sharedNow() });
    return this.boots.add(() => super.boot(name, turn), {
      ...turn,
      isNext: false,
      onPlace: (place) => turn.progress(say('IN_BOOT_QUEUE', { place }), true),
    });
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
