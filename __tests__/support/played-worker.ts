import { fingerprint } from '../../src/server/protocol/secrets';
import type { AppRecord, Lease, Registration, StatusEntry } from '../../src/shared/messages';
import { entryOf, leaseOf, registrationOf } from './fixtures';
import { recordedLog } from './log';
import { BEAT, KEY, LAST_BEAT, type SmallFleet } from './small-fleet';
import { until } from './wait';

/**
 * What a Supervisor takes to be a Worker: it holds an environment by the plugin's own protocol on the real Redis, hosts
 * nothing, and says of apps whatever a test has it say, or nothing.
 */
export class PlayedWorker {
  private version = 0;
  private readonly timer: NodeJS.Timeout;

  private constructor(
    readonly environment: string,
    readonly wire: ReturnType<SmallFleet['connect']>,
    private readonly lease: Lease,
  ) {
    // Kept up by beats, as a living process does; a beat that Redis does not take is made good by the next.
    this.timer = setInterval(() => void this.beat().catch(() => undefined), BEAT / 2);
  }

  /** @param values what else it says of itself */
  static async appear(
    fleet: SmallFleet,
    environment: string,
    values: Partial<Registration> = {},
  ): Promise<PlayedWorker> {
    const instance = `played-${environment}`;
    const wire = fleet.connect(instance, recordedLog());
    await until('Redis', () => wire.state.poll().catch(() => null));
    const fingerprints = { appKey: fingerprint('app-key'), aesKey: fingerprint(KEY.toString('hex')) };
    await wire.state.writeRegistration(registrationOf(environment, { fingerprints, ...values }));
    const worker = new PlayedWorker(environment, wire, leaseOf({ instance, interval: BEAT }));
    await worker.beat();
    return worker;
  }

  /** The record of an app, once it is published. */
  async told(app: string, wanted: (record: AppRecord) => boolean = () => true): Promise<AppRecord> {
    return until(`A record of ${app}`, async () => {
      const [record] = await this.wire.state.readRecords(this.environment, [app]);
      return record && wanted(record) ? record : null;
    });
  }

  /** Says something of an app, and nothing of any other. @returns whether it was written */
  say(record: AppRecord, values: Partial<StatusEntry>): Promise<boolean> {
    const { name, uid, generation } = record;
    const entry = entryOf({ name, uid, generation, bootGeneration: record.boot.generation, ...values });
    const { environment, lease } = this;
    const write = { environment, instance: lease.instance, epoch: lease.epoch, removed: [], complete: true };
    return this.wire.state.writeStatuses({ ...write, entries: [entry], version: ++this.version });
  }

  /** `kill -9`: its lease runs out, soon after a last beat. */
  async die(): Promise<void> {
    clearInterval(this.timer);
    this.lease.interval = LAST_BEAT;
    await this.beat().catch(() => undefined);
    await this.wire.close();
  }

  private async beat(): Promise<void> {
    const { environment, lease } = this;
    lease.beat++;
    const claim = { environment, lease, ttl: 3 * lease.interval, mayTake: true, provenBy: null };
    const answer = await this.wire.state.claimLease(claim);
    if (answer.held) lease.epoch = answer.epoch;
  }
}
