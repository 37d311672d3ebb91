import { z } from 'zod';
import { type Lease, lease as leaseSchema, registration as registrationSchema } from '../../../../shared/messages';
import type { Refusal } from '../../refusals';
import announce from '../../scripts/announce-6.lua';
import releaseLease from '../../scripts/releaseLease-3.lua';
import type { Announced, Announcement, LeaseStore, Waiting } from '../leases';
import type { Script, StoreConnection } from './connection';

/** As stored: what the scripts need, and the announcement as its holder signed it. */
const storedLease = z.object({
  instance: z.string(),
  epoch: z.number(),
  place: z.string().optional(),
  signed: z.string().optional(),
});

export const standby = z.object({ instance: z.string().max(200), place: z.string().max(200) });

/** How often an announcement is repeated at most, because what is stored is not believed. */
const TURNS = 5;

/** A stored announcement, if it is its holder's. */
export function openLease(connection: StoreConnection, environment: string, text: string): Lease | Refusal {
  const parsed = parse(text);
  const stored = storedLease.safeParse(parsed).data;
  if (!stored) return typeof parsed === 'object' ? 'unsigned' : 'unreadable';
  if (stored.signed === undefined) return 'unsigned';
  const opened = connection.envelope.check(environment, connection.keys.lease(environment), stored.signed);
  if (typeof opened === 'string') return opened;
  const { data } = leaseSchema.safeParse(parse(opened.body));
  if (!data) return 'unreadable';
  const isSame = data.instance === stored.instance && data.epoch === stored.epoch && data.place === stored.place;
  return isSame ? data : 'forged';
}

/** Undefined if it is not JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** `LeaseStore` with scripts; announcements expire with their keys. */
export class RedisLeases implements LeaseStore {
  private readonly announceScript: Script;
  private readonly releaseLease: Script;

  constructor(private readonly connection: StoreConnection) {
    this.announceScript = connection.script('announce', 6, announce);
    this.releaseLease = connection.script('releaseLease', 3, releaseLease);
  }

  async announce(announcement: Announcement): Promise<Announced> {
    const { connection } = this;
    const { environment, lease, isKnown = false } = announcement;
    const ignored = { lease: '', registration: '' };
    for (let turn = 0; turn < TURNS; turn++) {
      const [by, result] = await this.announceOnce(announcement, ignored);
      if (by === 'me') {
        // It has written.
        connection.connection.proved();
        return { by, fresh: result === 1 };
      }
      const stored = result as string;
      if (!stored.startsWith('{')) {
        const key = connection.keys.registration(environment);
        const registered = connection.open(environment, key, stored, registrationSchema);
        if (registered) return { by: 'newer', epoch: registered.order, instance: null };
        ignored.registration = stored;
        continue;
      }
      const found = openLease(connection, environment, stored);
      if (typeof found !== 'string') {
        const { instance, epoch } = found;
        if (by === 'newer') return { by, epoch, instance };
        if (!isKnown || epoch >= lease.epoch) return { by: 'otherInstallation', instance };
      } else connection.envelope.note(environment, connection.keys.lease(environment), found);
      ignored.lease = stored;
    }
    throw new Error(`What is announced of ${environment} is written by somebody else.`);
  }

  private announceOnce(
    { environment, lease, registration, ttl }: Announcement,
    ignored: { lease: string; registration: string },
  ): Promise<[by: 'me' | 'otherInstallation' | 'newer', result: number | string]> {
    const { connection } = this;
    const { keys } = connection;
    const { instance, epoch, place } = lease;
    return this.announceScript(
      keys.lease(environment),
      keys.registration(environment),
      keys.environments(),
      keys.standby(environment),
      keys.statuses(environment),
      keys.version(environment),
      environment,
      JSON.stringify({
        instance,
        epoch,
        place,
        signed: connection.sign(environment, keys.lease(environment), epoch, lease),
      }),
      ttl,
      connection.sign(environment, keys.registration(environment), registration.epoch, registration),
      ignored.lease,
      ignored.registration,
      this.waiting(environment, { instance, place: place ?? '' }),
    );
  }

  async wait(environment: string, waiting: Waiting, ttl: number): Promise<void> {
    const { redis, keys } = this.connection;
    await redis.set(keys.standby(environment), this.waiting(environment, waiting), 'PX', ttl);
  }

  private waiting(environment: string, { instance, place }: Waiting): string {
    const value = { instance, place } satisfies z.infer<typeof standby>;
    return this.connection.sign(environment, this.connection.keys.standby(environment), 0, value);
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

  async hasFormer(environment: string): Promise<boolean> {
    const { redis, keys } = this.connection;
    const { data } = storedLease.safeParse(parse((await redis.get(keys.lease(environment))) ?? ''));
    return data !== undefined && data.signed === undefined;
  }
}
