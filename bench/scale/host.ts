import { setTimeout as sleep } from 'node:timers/promises';
import type { AppSupervisor } from '@nocobase/server';
import { CoreAppRegistry } from '../../src/server/nocobase/core-app-registry';
import { BootQueue } from '../../src/server/worker/hosting/boot-queue';
import type { AppHost } from '../../src/server/worker/hosting/host';
import { type Message, say, verbatim } from '../../src/shared/message';
import type { AppRecord } from '../../src/shared/messages';
import { type Manner, sharedNow } from './messages';

/** Of a real start on an idle machine: how long it takes, in ms, and how often the core says what it does. */
const BOOT = { takes: 1_500, messages: 340 };

/** In place of the host's core: an app is a name that boots, runs and ends. */
export class PlayedHost {
  readonly coreApps = new CoreAppRegistry({ emit: () => true, on: () => undefined } as unknown as AppSupervisor);
  readonly begun: Array<{ app: string; at: number }> = [];
  private readonly running = new Set<string>();
  private readonly boots: BootQueue;

  constructor(
    private readonly manner: Manner,
    private readonly tell: (app: string, message: Message) => void,
  ) {
    this.boots = new BootQueue({ concurrency: manner === 'real' ? 2 : 1_000, interval: 0, intervalCap: 1 });
  }

  get asHost(): AppHost {
    return this as unknown as AppHost;
  }

  boot(
    { name }: AppRecord,
    _how: string,
    onTurn: () => Promise<void>,
    progress: (message: Message, waiting: boolean) => void,
  ): Promise<{ version: string }> {
    this.begun.push({ app: name, at: sharedNow() });
    const work = async () => {
      await onTurn();
      if (this.manner === 'real') {
        this.coreApps.setStatus(name, 'commanding');
        // In twenty portions: a timer for each message would cost more than the message.
        for (let portion = 0; portion < 20; portion++) {
          for (let i = 0; i < BOOT.messages / 20; i++) this.tell(name, verbatim(`loading plugin ${portion}.${i}`));
          await sleep(BOOT.takes / 20);
        }
      }
      this.running.add(name);
      this.coreApps.setStatus(name, 'running');
      return { version: '2.2.15' };
    };
    return this.boots.add(work, (place) => progress(say('IN_BOOT_QUEUE', { place }), true));
  }

  async stop(name: string): Promise<void> {
    this.running.delete(name);
    this.coreApps.setStatus(name, 'stopped');
  }

  async rest(name: string): Promise<void> {
    this.running.delete(name);
    delete this.coreApps.appStatus[name];
  }

  async endData(): Promise<Message> {
    return say('DATA_RELEASED');
  }

  async forgetLogs(): Promise<void> {}

  showError(): void {}

  async pluginSet(): Promise<null> {
    return null;
  }

  isRunning(name: string): boolean {
    return this.running.has(name);
  }

  isInCommand(): boolean {
    return false;
  }

  reveal(sealed: string): string {
    return sealed;
  }

  bootOneByOne(): void {}
}
