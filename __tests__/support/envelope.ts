import { systemClock } from '../../src/server/clock';
import type { Log } from '../../src/server/log';
import { Envelope } from '../../src/server/protocol/envelope';
import { fleetKeyOf, type GivenKeys, Keyring } from '../../src/server/protocol/keyring';
import { Refusals } from '../../src/server/protocol/refusals';
import { Secrets } from '../../src/server/protocol/secrets';
import { recordedLog } from './log';

/** `APP_KEY` of the fleets of tests that name none. */
export const FLEET_SECRET = 'the key of a fleet of tests';

export const keyringOf = (secret: string | Buffer = FLEET_SECRET, more: Partial<GivenKeys> = {}): Keyring =>
  new Keyring({ fleetKey: fleetKeyOf(secret), environment: null, atRest: null, ...more });

/** What signs and believes in the fleets of tests. */
export const testEnvelope = (log: Log = recordedLog(), keyring = keyringOf()): Envelope =>
  new Envelope(keyring, new Refusals(log, systemClock));

/** What a Worker opens secrets with. @param atRest `APP_SUPERVISOR_AES_SECRET_KEY` */
export const secretsOf = (atRest: Buffer | null, environment = 'env_a'): Secrets =>
  new Secrets(keyringOf(atRest ?? FLEET_SECRET, { atRest }), environment);
