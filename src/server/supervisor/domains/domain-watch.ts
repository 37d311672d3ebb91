import { type Addresses, addressOf } from '../../../shared/origins';
import type { DomainReason } from '../../../shared/words';
import type { Clock } from '../../clock';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { MessageBus } from '../../protocol/bus';
import type { Random } from '../../random';
import type { Leadership } from '../control/leader';
import { WorkQueue } from '../control/work-queue';
import type { AppCache } from '../definitions/app-cache';
import type { AppDefinition, AppRepository } from '../definitions/repository';
import type { ProbeDomain } from './domain-probe';
import { afterCheck, pauseAfter } from './domain-state';

/** Most checks at a time. */
const AT_ONCE = 4;

export interface DomainWatchOptions {
  appCache: AppCache;
  appRepository: AppRepository;
  leadership: Leadership;
  bus: Pick<MessageBus, 'notify'>;
  addresses: Addresses;
  /** Null: nothing is checked. */
  probe: ProbeDomain | null;
  clock: Clock;
  random: Random;
  log: Log;
}

/** Checks whether the custom domains of apps lead to this fleet: in the leading Supervisor, which stores what it finds. */
export class DomainWatch {
  /** By name of the app, how many checks of its domain in a row have failed. */
  private readonly known = new Map<string, { domain: string; failures: number }>();
  private readonly queue: WorkQueue;

  constructor(private readonly options: DomainWatchOptions) {
    const { clock, random, log } = options;
    const onFailure = (app: string, error: unknown) =>
      log.rooms.fleet?.('A domain could not be checked', { app, cause: messageOf(error) });
    this.queue = new WorkQueue({ clock, random, concurrency: AT_ONCE, onFailure });
  }

  start(): void {
    if (!this.options.probe) return;
    this.queue.start((name) => this.check(name));
    this.known.clear();
    this.note(this.options.appCache.apps.keys());
    this.options.leadership.onChange(() => {
      for (const name of this.known.keys()) this.queue.add(name);
    });
  }

  stop(): void {
    this.queue.stop();
  }

  /** Definitions have changed. */
  note(names: Iterable<string>): void {
    for (const name of names) {
      const domain = this.options.appCache.apps.get(name)?.cname;
      if (!domain) this.known.delete(name);
      else if (this.known.get(name)?.domain !== domain) {
        this.known.set(name, { domain, failures: 0 });
        this.queue.add(name);
      }
    }
  }

  /** @returns when it is to be checked again, in ms; null if it has no domain, or another process checks it */
  private async check(name: string): Promise<number | null> {
    const { appCache, leadership } = this.options;
    const known = this.known.get(name);
    if (!known || !leadership.leads) return null;
    const reason = await this.ask(known.domain);
    known.failures = reason === null ? 0 : known.failures + 1;
    const app = appCache.apps.get(name);
    if (app?.cname === known.domain) await this.store(app, reason, known.failures);
    return pauseAfter(known.failures);
  }

  private async ask(domain: string): Promise<DomainReason | null> {
    const { addresses, probe } = this.options;
    const address = addressOf(domain, addresses);
    return address.startsWith('//') || !probe ? 'noPublicUrl' : probe(address);
  }

  private async store(app: AppDefinition, reason: DomainReason | null, failures: number): Promise<void> {
    const { appRepository, appCache, leadership, bus, clock, log } = this.options;
    const { domainCheck: before, cname: domain, name } = app;
    const known = afterCheck(before, domain!, reason, failures, clock.now().wall);
    if (known === before) return;
    const isStored = await leadership.write((transaction) =>
      appRepository.updateLiving(app, { domainCheck: known }, transaction),
    );
    if (!isStored) return;
    if (known.state !== before?.state) log.info(`The domain of app ${name} is ${known.state}`, { app: name, ...known });
    // Before the read, which may fail: the next check is minutes later, and may find nothing to change.
    bus.notify('definitions', [name]);
    await appCache.refresh([name]);
  }
}
