import { createHash, createPrivateKey, createPublicKey, hkdfSync, type KeyObject } from 'node:crypto';
import { authenticate } from './cipher';

/** The keys of one environment, which the Supervisor and that environment alone have. */
export interface EnvironmentKey {
  /** Identifies the key without revealing it. */
  id: string;
  /** Authenticates what passes between the two. */
  authentication: Buffer;
  /** Seals secrets in records. */
  sealing: Buffer;
  /** Encrypts requests and replies. */
  transport: Buffer;
}

/** The key pair of the Supervisor, for what several environments read; a Worker of an environment's key has the public half. */
export interface SupervisorKey {
  id: string;
  publicKey: KeyObject;
  privateKey: KeyObject | null;
}

/** What a process was given. */
export interface GivenKeys {
  /** Of the whole fleet; null on a Worker that has only its environment's key, and in shared memory. */
  fleetKey: Buffer | null;
  /** `APP_SUPERVISOR_ENVIRONMENT_KEY`. */
  environment: { name: string; key: Buffer } | null;
  /** `APP_SUPERVISOR_AES_SECRET_KEY`: seals secrets in databases. */
  atRest: Buffer | null;
}

const derive = (key: Buffer | string, purpose: string): Buffer =>
  Buffer.from(hkdfSync('sha256', key, 'app-supervisor', purpose, 32));

/** Identifies a key without revealing it. */
export const keyId = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex').slice(0, 12);

/** Of `APP_SUPERVISOR_AES_SECRET_KEY`, or of `APP_KEY` where that is not set. */
export const fleetKeyOf = (secret: Buffer | string): Buffer => derive(secret, 'fleet');

/** No name of an environment has a space. */
const since = (environment: string, floor: number): string => (floor ? `${environment} ${floor}` : environment);

/**
 * What `APP_SUPERVISOR_ENVIRONMENT_KEY` of this environment is, in 64 hex digits.
 * @param floor when the environment was last forgotten, which ends the key that it had; 0: never
 */
export const environmentKeyOf = (fleetKey: Buffer, environment: string, floor = 0): Buffer =>
  derive(fleetKey, `environment ${since(environment, floor)}`);

/**
 * A secret that the Worker of an environment is started with, in 64 hex digits; the same for every request.
 * @param purpose names the secret, such as `APP_KEY`
 * @param floor as in `environmentKeyOf`
 */
export const workerSecretOf = (fleetKey: Buffer, environment: string, purpose: string, floor = 0): string =>
  derive(fleetKey, `worker ${purpose} ${since(environment, floor)}`).toString('hex');

/** The Supervisor's public key as text: all that a door needs to believe what it reads. */
export const publicKeyOf = (fleetKey: Buffer): string =>
  new Keyring({ fleetKey, environment: null, atRest: null }).publicKey as string;

/** With which the doors of a fleet sign in to Redis, in 64 hex digits. */
export const doorPasswordOf = (fleetKey: Buffer): string => derive(fleetKey, 'door Redis').toString('hex');

/** By which the Supervisors of a fleet know each other behind the domains of its apps (domain-proof.ts). */
export const domainKeyOf = (fleetKey: Buffer): Buffer => derive(fleetKey, 'domains');

const keyFrom = (key: Buffer): EnvironmentKey => ({
  id: keyId(key),
  authentication: derive(key, 'authentication'),
  sealing: derive(key, 'sealing'),
  transport: derive(key, 'transport'),
});

/** The keys that a process has: those of the whole fleet, or those of its own environment. */
export class Keyring {
  private readonly environments = new Map<string, EnvironmentKey>();
  /** By environment, when it was forgotten, as far as this process knows. */
  private readonly floors = new Map<string, Set<number>>();
  /** Null until its environment's records have brought it, on a Worker that has only its environment's key. */
  supervisor: SupervisorKey | null = null;

  constructor(private readonly keys: GivenKeys) {
    if (keys.fleetKey) this.supervisor = supervisorKeyOf(derive(keys.fleetKey, 'supervisor'));
  }

  /** Null if this process has no key of that environment. */
  of(environment: string): EnvironmentKey | null {
    const { fleetKey, environment: own } = this.keys;
    const known = this.environments.get(environment);
    if (known) return known;
    const given = own?.name === environment ? own.key : null;
    const key = fleetKey ? environmentKeyOf(fleetKey, environment, this.floorOf(environment)) : given;
    if (!key) return null;
    const made = keyFrom(key);
    this.environments.set(environment, made);
    return made;
  }

  /**
   * The key with which a secret of an environment was sealed, even if that key has ended: it opens what was kept, and signs nothing any more.
   * Null if this process does not have it.
   */
  opening(environment: string, id: string): EnvironmentKey | null {
    const { fleetKey } = this.keys;
    const now = this.of(environment);
    if (now?.id === id || !fleetKey) return now?.id === id ? now : null;
    const ended = [0, ...(this.floors.get(environment) ?? [])];
    return (
      ended.map((floor) => keyFrom(environmentKeyOf(fleetKey, environment, floor))).find((key) => key.id === id) ?? null
    );
  }

  /** When an environment was last forgotten, as far as this process knows; 0: never. */
  floorOf(environment: string): number {
    return Math.max(0, ...(this.floors.get(environment) ?? []));
  }

  /** An environment was forgotten: from now on its key is the one of this floor, unless a newer one is known. */
  raise(environment: string, floor: number): void {
    const known = this.floors.get(environment) ?? new Set();
    if (known.has(floor)) return;
    this.floors.set(environment, known.add(floor));
    this.environments.delete(environment);
  }

  /**
   * Proves the Supervisor's public key to whoever has the key of an environment; null without that key.
   * @param floor of the key, where this process has those of all environments; the newest that it knows if not given
   */
  proofFor(environment: string, publicKey: string, floor?: number): string | null {
    const { fleetKey } = this.keys;
    const made = fleetKey && floor !== undefined ? keyFrom(environmentKeyOf(fleetKey, environment, floor)) : null;
    const key = (made ?? this.of(environment))?.authentication;
    return key ? authenticate(key, `supervisor\n${publicKey}`).toString('base64url') : null;
  }

  /** Whether a key that this process has used so far has this id. */
  hasMade(id: string): boolean {
    return this.supervisor?.id === id || [...this.environments.values()].some((key) => key.id === id);
  }

  /** The environment whose key is the only one that this process has; null if it has all of them. */
  get own(): string | null {
    return this.keys.fleetKey ? null : (this.keys.environment?.name ?? null);
  }

  get fleetKey(): Buffer | null {
    return this.keys.fleetKey;
  }

  get atRest(): Buffer | null {
    return this.keys.atRest;
  }

  /** The Supervisor's public key as text, for records. */
  get publicKey(): string | null {
    return this.supervisor && (this.supervisor.publicKey.export({ format: 'jwk' }).x as string);
  }

  /** Takes over a public key that is proven, or was once. */
  learn(text: string): void {
    if (this.fleetKey || this.publicKey === text) return;
    try {
      const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x: text }, format: 'jwk' });
      this.supervisor = { id: keyId(Buffer.from(text, 'base64url')), publicKey, privateKey: null };
    } catch {
      // Not a key: what it had stays.
    }
  }
}

/** Of an Ed25519 private key in PKCS #8 (RFC 8410), all but its 32 bytes. */
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');

function supervisorKeyOf(seed: Buffer): SupervisorKey {
  const privateKey = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(privateKey);
  const bytes = Buffer.from(publicKey.export({ format: 'jwk' }).x as string, 'base64url');
  return { id: keyId(bytes), publicKey, privateKey };
}
