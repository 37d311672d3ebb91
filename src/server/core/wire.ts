import { systemClock as clock } from '../clock';
import type { ActiveConfig, Config } from '../config';
import type { Log } from '../log';
import type { MessageBus } from '../protocol/bus';
import { MemoryBus } from '../protocol/bus/memory';
import { RedisBus } from '../protocol/bus/redis';
import { type ProveDomain, proveDomainBy } from '../protocol/domain-proof';
import { Envelope } from '../protocol/envelope';
import { domainKeyOf, fleetKeyOf, Keyring } from '../protocol/keyring';
import { Keys } from '../protocol/redis-keys';
import { Refusals } from '../protocol/refusals';
import type { Stores } from '../protocol/stores';
import { MemoryStores } from '../protocol/stores/memory';
import { RedisStores } from '../protocol/stores/redis';
import { secretBytes } from '../random';
import { systemRandom as random } from './system';

/** Connects this process to the others of its fleet; in shared memory there are no others. */
export interface Wire {
  stores: Stores;
  bus: MessageBus;
  keyring: Keyring;
  refusals: Refusals;
  /** As every Supervisor of this fleet proves it. */
  proveDomain: ProveDomain;
}

/** The keys of a process: a Worker that is given its environment's key uses no other, whatever else it has. */
export function keyringOf(config: Config): Keyring {
  const { aesKey: atRest, host } = config;
  if (config.part === 'worker' && config.environmentKey)
    return new Keyring({
      atRest,
      fleetKey: null,
      environment: { name: config.environment.name, key: config.environmentKey },
    });
  const isFleet = config.part === 'supervisor' || config.part === 'worker';
  return new Keyring({ atRest, fleetKey: isFleet ? fleetKeyOf(atRest ?? host.appKey) : null, environment: null });
}

/** Creates the connections of this process. Nothing leaves the process before they are opened. */
export function createWire(config: ActiveConfig, instance: string, log: Log): Wire {
  const keyring = keyringOf(config);
  const refusals = new Refusals(log, clock);
  // In shared memory there is no other process that could answer.
  const proveDomain = proveDomainBy(keyring.fleetKey ? domainKeyOf(keyring.fleetKey) : secretBytes(32));
  if (config.part === 'local') {
    const stores = new MemoryStores({ clock, random, isAlone: true });
    return { stores, bus: new MemoryBus(clock), keyring, refusals, proveDomain };
  }
  const keys = new Keys(config.redis.prefix);
  const envelope = new Envelope(keyring, refusals);
  const { stateUrl, commandUrl } = config.redis;
  const stores = new RedisStores(stateUrl, keys, envelope, log, random, clock);
  const shared = commandUrl === stateUrl ? stores.shared : undefined;
  const bus = new RedisBus(commandUrl, keys, envelope, instance, log, clock, random, shared);
  return { stores, bus, keyring, refusals, proveDomain };
}

export function openWire({ stores, bus }: Pick<Wire, 'stores' | 'bus'>): void {
  stores.open();
  bus.open();
}

export async function closeWire({ stores, bus }: Pick<Wire, 'stores' | 'bus'>): Promise<void> {
  await bus.close();
  await stores.close();
}
