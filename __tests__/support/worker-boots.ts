import type { Clock } from '../../src/server/clock';
import { AppStates } from '../../src/server/worker/apps/app-states';
import { BootQueue } from '../../src/server/worker/apps/boot-queue';
import { AppBoots, type AppBootsOptions } from '../../src/server/worker/apps/boots';
import { RoutingExit } from '../../src/server/worker/apps/routing-exit';
import { TimeLimits } from '../../src/server/worker/apps/time-limits';
import type { HostingAuthority } from '../../src/server/worker/hosting/claim';
import type { Message } from '../../src/shared/message';
import type { AppRecord } from '../../src/shared/messages';
import { recordedLog } from './log';

/** A process that holds its environment, and finds all others alive. */
export const authorityOf = (values: Partial<HostingAuthority> = {}): HostingAuthority => ({
  environment: 'env_a',
  holder: 'one',
  term: () => 1,
  now: () => Date.UTC(2026, 10, 24),
  confirm: async () => true,
  raise: async () => true,
  ...values,
});

/** A queue in which so many boot at the same time; as a rule nobody waits. */
export const bootQueueOf = (clock: Clock, concurrency = 1_000) =>
  new BootQueue({ concurrency, interval: 0, intervalCap: 1 }, clock);

interface Options extends Pick<AppBootsOptions, 'host' | 'clock' | 'bootQueue'> {
  coreApps: ConstructorParameters<typeof AppStates>[0]['coreApps'];
}

/** Boots apps as a Worker does it, one record at a time, and decides nothing else. */
export class Boots {
  /** What was said of each app while it booted. */
  readonly said = new Map<string, Message[]>();
  readonly apps: AppStates;
  private readonly boots: AppBoots;
  private readonly errors = new Map<string, unknown>();

  constructor(options: Options, values: Partial<AppBootsOptions> = {}) {
    const { clock } = options;
    this.apps = new AppStates({
      ...options,
      onAdminPassword: () => undefined,
      onCore: () => undefined,
    });
    this.apps.reports.listen((names) => {
      for (const name of names) this.note(name);
    });
    this.boots = new AppBoots({
      ...options,
      apps: this.apps,
      limits: new TimeLimits(this.apps, options.host, clock, recordedLog()),
      authority: authorityOf(),
      exit: new RoutingExit(this.apps, clock, 0),
      uploads: { before: async () => undefined },
      mayBoot: () => true,
      save: async () => undefined,
      failures: { showAndRetry: (name, _, error) => void this.errors.set(name, error) },
      ...values,
    });
  }

  /**
   * Boots an app by its record.
   * @returns by which record it runs, and the version of its data; null if it was no longer to boot
   * @throws what the boot ended with
   */
  async boot(record: AppRecord, how: AppRecord['boot']['how'] = 'start') {
    const { name, generation } = record;
    this.errors.delete(name);
    this.apps.hold({ ...record, boot: { generation, how } }, null, true);
    const held = this.apps.get(name)!;
    await this.boots.boot(name, held);
    if (this.errors.has(name)) throw this.errors.get(name);
    return held.booted && { record: held.booted, version: held.version };
  }

  private note(name: string): void {
    const message = this.apps.get(name)?.message;
    if (message) this.said.set(name, [...(this.said.get(name) ?? []), message]);
  }
}
