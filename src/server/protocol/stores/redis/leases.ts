import { z } from 'zod';
import { jsonText } from '../../../../shared/json-text';
import { type Lease, lease as leaseSchema } from '../../../../shared/messages';
import type { Refusal } from '../../refusals';
import announce from '../../scripts/announce-6.lua';
import releaseLease from '../../scripts/releaseLease-3.lua';
import type { Announced, Announcement, LeaseStore, Waiting } from '../leases';
import type { Script, StoreConnection } from './connection';

const signedLease = jsonText(leaseSchema);

/** What is in the way of an announcement: another one, or a registration, which names no instance. */
const announced = z.object({ instance: z.string().nullable().default(null) });

/** How often an announcement is repeated at most, because what is stored is not believed. */
const TURNS = 5;

/** A stored announcement, if it is its holder's. */
export function openLease(connection: StoreConnection, environment: string, text: string): Lease | Refusal {
  const opened = connection.envelope.check(environment, connection.keys.lease(environment), text);
  if (typeof opened === 'string') return opened;
  return signedLease.safeParse(opened.body).data ?? 'unreadable';
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
    const { environment, hasEnded } = announcement;
    for (let turn = 0; turn < TURNS; turn++) {
      const [by, found, text] = await this.announceOnce(announcement);
      if (by === 'me') {
        // It has written.
        connection.connection.proved();
        return { by, fresh: found === 1 };
      }
      const read = connection.open(environment, String(found), text, announced);
      if (read && by === 'newer') return { by, epoch: read.order, instance: read.value.instance };
      if (read) return { by: 'otherInstallation', instance: read.value.instance ?? '' };
      if (hasEnded) return { by: 'otherInstallation', instance: 'with another key' };
      await connection.redis.del(String(found));
    }
    throw new Error(`What is announced of ${environment} is written by somebody else.`);
  }

  private announceOnce(
    announcement: Announcement,
  ): Promise<[by: 'me' | 'otherInstallation' | 'newer', found: number | string, text?: string]> {
    const { environment, lease, registration, ttl, isKnown, hasEnded } = announcement;
    const { connection } = this;
    const { keys } = connection;
    const { instance, epoch, place = '' } = lease;
    return this.announceScript(
      keys.lease(environment),
      keys.registration(environment),
      keys.environments(),
      keys.standby(environment),
      keys.statuses(environment),
      keys.version(environment),
      environment,
      connection.sign(environment, keys.lease(environment), epoch, lease),
      ttl,
      connection.sign(environment, keys.registration(environment), registration.epoch, registration),
      this.waiting(environment, { instance, place }),
      Number(isKnown === true && !hasEnded),
    );
  }

  async wait(environment: string, waiting: Waiting, ttl: number): Promise<void> {
    const { redis, keys } = this.connection;
    await redis.set(keys.standby(environment), this.waiting(environment, waiting), 'PX', ttl);
  }

  private waiting(environment: string, { instance, place }: Waiting): string {
    const value: Waiting = { instance, place };
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
    const text = await redis.get(keys.lease(environment));
    return text !== null && openLease(this.connection, environment, text) === 'unsigned';
  }
}
