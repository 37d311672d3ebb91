import type { ActiveConfig } from '../config';
import type { Log } from '../log';
import type { MessageBus } from '../protocol/bus';
import { MemoryBus } from '../protocol/bus/memory';
import { RedisBus } from '../protocol/bus/redis';
import { Keys } from '../protocol/keys';
import type { Stores } from '../protocol/stores';
import { MemoryStores } from '../protocol/stores/memory';
import { RedisStores } from '../protocol/stores/redis';
import { systemClock as clock, systemRandom as random } from './system';

/** Connects this process to the others of its fleet; in shared memory there are no others. */
export interface Wire {
  stores: Stores;
  bus: MessageBus;
}

/** Creates the connections of this process. Nothing leaves the process before they are opened. */
export function createWire(config: ActiveConfig, instance: string, log: Log): Wire {
  if (config.part === 'local') {
    return { stores: new MemoryStores({ clock, random, isAlone: true }), bus: new MemoryBus(clock) };
  }
  const keys = new Keys(config.redis.prefix);
  const { stateUrl, commandUrl } = config.redis;
  const stores = new RedisStores(stateUrl, keys, log, random, clock);
  const shared = commandUrl === stateUrl ? stores.shared : undefined;
  return { stores, bus: new RedisBus(commandUrl, keys, instance, log, clock, random, shared) };
}

export function openWire({ stores, bus }: Wire): void {
  stores.open();
  bus.open();
}

export async function closeWire({ stores, bus }: Wire): Promise<void> {
  await bus.close();
  await stores.close();
}
