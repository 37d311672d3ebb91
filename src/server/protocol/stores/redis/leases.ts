import { z } from 'zod';
import { type Lease, lease as leaseSchema } from '../../../../shared/messages';
import type { Clock } from '../../../clock';
import type { Refusal } from '../../refusals';
import claimLease from '../../scripts/claimLease-6.lua';
import releaseLease from '../../scripts/releaseLease-3.lua';
import type { LeaseAnswer, LeaseClaim, LeaseStore } from '../leases';
import type { Script, StoreConnection } from './connection';

/** As stored: what the scripts need, and the lease as its holder signed it. */
const storedLease = z.object({
  instance: z.string(),
  epoch: z.number(),
  provenBy: z.string().optional(),
  signed: z.string().optional(),
});

export const standby = z.object({ instance: z.string().max(200), place: z.string().max(200).optional() });

/** How often a claim is repeated at most, because what is stored is not believed, or its epoch is not signed yet. */
const TURNS = 5;
/**
 * How much shorter than asked for a lease may be, in ms: its claim came late, and the next one is on time. Far less than what a process
 * that starts allows a live holder for being late (worker/lease.ts).
 */
const LATE = 250;

/**
 * A stored lease, if it is its holder's.
 * @returns `unsettled` for one that was just taken: its holder signs the epoch that it got next
 */
export function openLease(
  connection: StoreConnection,
  environment: string,
  text: string,
): Lease | Refusal | 'unsettled' {
  const parsed = parse(text);
  const stored = storedLease.safeParse(parsed).data;
  if (!stored) return typeof parsed === 'object' ? 'unsigned' : 'unreadable';
  if (stored.signed === undefined) return 'unsigned';
  const opened = connection.envelope.check(environment, connection.keys.lease(environment), stored.signed);
  if (typeof opened === 'string') return opened;
  const { data } = leaseSchema.safeParse(parse(opened.body));
  if (!data) return 'unreadable';
  if (data.instance !== stored.instance) return 'forged';
  const { epoch, provenBy } = stored;
  return data.epoch === epoch ? { ...data, ...(provenBy === undefined ? {} : { provenBy }) } : 'unsettled';
}

/** Undefined if it is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `LeaseStore` with scripts; leases expire with their keys. */
export class RedisLeases implements LeaseStore {
  private readonly claimLease: Script;
  private readonly releaseLease: Script;
  /** The server's time in its last answer, and when that came, in ms. */
  private answered: { server: number; mono: number } | null = null;

  constructor(
    private readonly connection: StoreConnection,
    private readonly clock: Clock,
  ) {
    this.claimLease = connection.script('claimLease', 6, claimLease);
    this.releaseLease = connection.script('releaseLease', 3, releaseLease);
  }

  async claim(claim: LeaseClaim): Promise<LeaseAnswer> {
    const { environment } = claim;
    let { lease } = claim;
    let ignored = '';
    let fresh = false;
    let wasLate = false;
    for (let turn = 0; turn < TURNS; turn++) {
      const [lasts, result, digits, instance, stored] = await this.claimOnce({ ...claim, lease }, ignored);
      const epoch = Number(digits);
      if (result === 'nobody') return { held: false, holder: null };
      // It has written.
      if (result !== 'mine') this.connection.connection.proved();
      if (result === 'renewed' || result === 'taken') {
        fresh ||= result === 'taken';
        const isLate: boolean = lasts < claim.ttl - LATE && !wasLate;
        if (epoch === lease.epoch && !isLate) return { held: true, epoch, fresh } as LeaseAnswer;
        wasLate ||= isLate;
        // Now that it is known, the epoch is signed.
        lease = { ...lease, epoch };
        continue;
      }
      const found = openLease(this.connection, environment, stored);
      const isBelieved = typeof found !== 'string' || (found === 'unsettled' && result === 'other');
      if (isBelieved && result === 'other') return { held: false, holder: { instance, epoch } };
      if (isBelieved) lease = { ...lease, epoch };
      else {
        ignored = stored;
        if (found !== 'unsettled') this.note(environment, found as Refusal);
      }
    }
    throw new Error(`The lease of ${environment} is written by somebody else.`);
  }

  private note(environment: string, refusal: Refusal): void {
    this.connection.envelope.note(environment, this.connection.keys.lease(environment), refusal);
  }

  private async claimOnce(
    { environment, lease, ttl, mayTake, above = 0, provenBy, place }: LeaseClaim,
    ignored: string,
  ): Promise<[ttl: number, result: string, epoch: string, instance: string, stored: string]> {
    const { connection, clock, answered } = this;
    const { keys } = connection;
    const { instance, epoch } = lease;
    const waits = { instance, place } satisfies z.infer<typeof standby>;
    const [server, ...answer] = await this.claimLease(
      keys.lease(environment),
      keys.holder(environment),
      keys.environments(),
      keys.standby(environment),
      keys.statuses(environment),
      keys.version(environment),
      environment,
      JSON.stringify({ instance, epoch, signed: connection.sign(environment, keys.lease(environment), epoch, lease) }),
      ttl,
      mayTake ? '1' : '0',
      provenBy ?? '',
      ignored,
      connection.sign(environment, keys.standby(environment), epoch, waits),
      above,
      answered ? Math.round(answered.server + clock.now().mono - answered.mono) : '',
    );
    this.answered = { server: Number(server), mono: clock.now().mono };
    return answer as Awaited<ReturnType<RedisLeases['claimOnce']>>;
  }

  async release(environment: string, instance: string, epoch: number): Promise<void> {
    const { keys } = this.connection;
    await this.releaseLease(
      keys.lease(environment),
      keys.statuses(environment),
      keys.version(environment),
      instance,
      epoch,
    );
  }

  async left(environments: string[]): Promise<Map<string, number>> {
    const { redis, keys } = this.connection;
    const left = await Promise.all(environments.map((name) => redis.pttl(keys.lease(name))));
    return new Map(environments.map((name, index) => [name, Math.max(left[index], 0)]));
  }
}
