import { z } from 'zod';
import { isImageName, isNetworkName } from '../../shared/containers';
import { environmentAddressesOf } from './environment-addresses';
import type { Variables } from './variables';

/** What a Supervisor gives to the Workers of new environments, apart from its own settings, and what it was told of Workers. */
export interface JoinConfig {
  /** The container image with this plugin: `APP_SUPERVISOR_WORKER_IMAGE`. */
  image: string;
  /** The Docker network that reaches Redis and the database server: `APP_SUPERVISOR_WORKER_NETWORK`; null: the engine's default. */
  network: string | null;
  /** The database role that all Workers share: `APP_SUPERVISOR_WORKER_DB_USER`, `APP_SUPERVISOR_WORKER_DB_PASSWORD`; null: each has its own. */
  role: { user: string; password: string } | null;
  /** `TZ`. */
  timeZone: string | null;
  /** By environment, proxy addresses that need no confirmation. */
  addresses: ReadonlyMap<string, readonly string[]>;
}

export function joinConfigOf(variables: Variables): JoinConfig {
  const { APP_SUPERVISOR_WORKER_DB_USER: user, APP_SUPERVISOR_WORKER_DB_PASSWORD: password = '', TZ } = variables.env;
  return {
    image: variables.read(
      'APP_SUPERVISOR_WORKER_IMAGE',
      z.string().refine(isImageName),
      'the name of an image such as registry.example.com/nocobase-app-supervisor:1.0',
      'nocobase-app-supervisor',
    ),
    network:
      variables.read(
        'APP_SUPERVISOR_WORKER_NETWORK',
        z.string().refine(isNetworkName),
        'the name of a Docker network such as nocobase-fleet_nocobase',
        '',
      ) || null,
    role: user ? { user, password } : null,
    timeZone: TZ || null,
    addresses: environmentAddressesOf(variables),
  };
}
