import { type Addresses, addressOf } from '../../../shared/origins';
import type { DomainReason } from '../../../shared/words';
import type { Clock, Timer } from '../../clock';
import { messageOf } from '../../errors';
import type { Log } from '../../log';
import type { MessageBus } from '../../protocol/bus';
import type { Leadership } from '../control/leader';
import type { AppCache } from '../definitions/app-cache';
import type { AppDefinition, AppRepository } from '../definitions/repository';
import type { ProbeDomain } from './domain-probe';
import { afterCheck, pauseAfter } from './domain-state';

/** How often it is looked whether a check is due, in ms; domains that change are checked at once. */
const TICK = 1_000;
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
  log: Log;
}

/** The checks of one domain. */
interface Plan {
  domain: string;
  /** By the monotonic clock. */
  dueAt: number;
  /** In a row that have failed. */
  failures: number;
}

/** Checks whether the custom domains of apps lead to this fleet: in the leading Supervisor, which stores what it finds. */
export class DomainWatch {
  /** By name of the app. */
  private readonly plans = new Map<string, Plan>();
  private readonly running = new Set<string>();
  private timer: Timer | null = null;

  constructor(private readonly options: DomainWatchOptions) {}

  start(): void {
    const { appCache, probe, clock } = this.options;
    if (!probe || this.timer) return;
    this.note(appCache.apps.keys());
    this.timer = clock.interval(TICK, () => this.tick());
  }

  stop(): void {
    this.timer?.cancel();
    this.timer = null;
  }

  /** Definitions have changed. */
  note(names: Iterable<string>): void {
    const { appCache, clock } = this.options;
    for (const name of names) {
      const domain = appCache.apps.get(name)?.cname;
      if (!domain) this.plans.delete(name);
      else if (this.plans.get(name)?.domain !== domain)
        this.plans.set(name, { domain, dueAt: clock.now().mono, failures: 0 });
    }
    if (this.timer) this.tick();
  }

  private tick(): void {
    const { leadership, clock } = this.options;
    if (!leadership.leads) return;
    const now = clock.now().mono;
    for (const [name, plan] of this.plans) {
      if (this.running.size >= AT_ONCE) return;
      if (plan.dueAt <= now && !this.running.has(name)) void this.check(name, plan);
    }
  }

  /** Never rejects. */
  private async check(name: string, plan: Plan): Promise<void> {
    const { appCache, clock, log } = this.options;
    this.running.add(name);
    try {
      const reason = await this.ask(plan.domain);
      plan.failures = reason === null ? 0 : plan.failures + 1;
      const app = appCache.apps.get(name);
      if (app?.cname === plan.domain) await this.store(app, reason, plan.failures);
    } catch (error) {
      log.rooms.fleet?.('A domain could not be checked', { app: name, cause: messageOf(error) });
    } finally {
      plan.dueAt = clock.now().mono + pauseAfter(plan.failures);
      this.running.delete(name);
    }
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
    await appCache.refresh([name]);
    bus.notify('definitions', [name]);
  }
}
