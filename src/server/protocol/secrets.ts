import { createHmac } from 'node:crypto';
import type { AppDatabase, AppRecord } from '../../shared/messages';
import { AppSupervisorError } from '../errors';
import { secretBytes } from '../random';
import { decrypt, encrypt } from './cipher';
import { type EnvironmentKey, type Keyring, keyId } from './keyring';
import { transferKeyOf } from './transfer';

/**
 * Stored secrets: `sealed:<key id>:<iv>.<tag>.<ciphertext>` (AES-256-GCM, base64url) once a key is configured, plain
 * text until then (with the prefix `plain:` if it looks like either). Each secret contains the key’s id, so that a
 * wrong key causes a clear error and not garbage.
 */
const PREFIX = 'sealed:';
/** Prefix of a plain text that would otherwise be read as something else. */
const PLAIN = 'plain:';
/** Prefix of a secret in a record: `bound:<key id>:<iv>.<tag>.<ciphertext>`. */
const BOUND = 'bound:';

/** A value's fingerprint to compare the settings of two processes; keyed, so that short secrets cannot be looked up. */
export const fingerprint = (value: string): string =>
  createHmac('sha256', 'app-supervisor').update(value).digest('hex').slice(0, 12);

/** 32 random bytes, base64url: an app's own JWT secret. */
export const newSecret = (): string => secretBytes(32).toString('base64url');

export function seal(plain: string, key: Buffer | null): string {
  if (!key) return [PREFIX, PLAIN, BOUND].some((prefix) => plain.startsWith(prefix)) ? `${PLAIN}${plain}` : plain;
  return `${PREFIX}${keyId(key)}:${encrypt(plain, key, '')}`;
}

/**
 * @param app named in the error
 * @throws AppSupervisorError KEY_MISSING if it was sealed with another key, or was tampered with
 */
export function unseal(value: string, key: Buffer | null, app: string): string {
  if (!value.startsWith(PREFIX)) return value.startsWith(PLAIN) ? value.slice(PLAIN.length) : value;
  const [id, body] = value.slice(PREFIX.length).split(':');
  const plain = key && keyId(key) === id ? decrypt(body ?? '', key, '') : null;
  if (plain === null) throw new AppSupervisorError('KEY_MISSING', { app, key: id });
  return plain;
}

/** The secrets of an app. */
export type SecretField = 'database' | 'jwtSecret' | 'initialAdmin' | 'uploads';
/** The incarnation of an app, whose name is for errors. */
type Owner = Pick<AppRecord, 'name' | 'uid'>;

/**
 * A secret for one environment, bound to the app and the field: nothing else can be opened with it elsewhere. Equal secrets of the same
 * field are equal here, too, so that records can be compared; they show nothing else.
 */
export function sealFor(plain: string, { id, sealing }: EnvironmentKey, { uid }: Owner, field: SecretField): string {
  const bound = `${uid}\n${field}`;
  // Derived from all that is sealed, so that one key never meets two texts with the same one.
  const iv = createHmac('sha256', sealing).update(`iv\n${bound}\n${plain}`).digest().subarray(0, 12);
  return `${BOUND}${id}:${encrypt(plain, sealing, bound, iv)}`;
}

/** Opens secrets, whether they are as stored in a database or as sealed for this environment. */
export class Secrets {
  constructor(
    private readonly keyring: Keyring,
    private readonly environment: string,
  ) {}

  /** @throws AppSupervisorError KEY_MISSING if it was sealed with another key, for another app or field, or was tampered with */
  open(value: string, app: Owner, field: SecretField): string {
    if (!value.startsWith(BOUND)) return unseal(value, this.keyring.atRest, app.name);
    const [id, body] = value.slice(BOUND.length).split(':');
    const key = this.keyring.opening(this.environment, id);
    const plain = key ? decrypt(body ?? '', key.sealing, `${app.uid}\n${field}`) : null;
    if (plain === null) throw new AppSupervisorError('KEY_MISSING', { app: app.name, key: id });
    return plain;
  }
}

/** A record with each of its secrets changed. */
export function withSecrets(record: AppRecord, change: (value: string, field: SecretField) => string): AppRecord {
  const { database, jwtSecret, initialAdmin, uploads } = record;
  return {
    ...record,
    database: {
      ...database,
      ...(database.password ? { password: change(database.password, 'database') } : {}),
      ...(database.nextPassword ? { nextPassword: change(database.nextPassword, 'database') } : {}),
    },
    jwtSecret: jwtSecret ? change(jwtSecret, 'jwtSecret') : jwtSecret,
    ...(initialAdmin
      ? { initialAdmin: { ...initialAdmin, password: change(initialAdmin.password, 'initialAdmin') } }
      : {}),
    ...(uploads?.key ? { uploads: { ...uploads, key: change(uploads.key, 'uploads') } } : {}),
  };
}

/** Secrets that are remembered as sealed, so that a comparison of all records seals none again; then it begins anew. */
const REMEMBERED = 100_000;

/** Seals the secrets of records for their environments. */
export class RecordSealer {
  /** By key, app and field, the secret as stored, and as sealed. */
  private readonly known = new Map<string, [stored: string, sealed: string]>();

  constructor(private readonly keyring: Keyring) {}

  /**
   * A record with its secrets sealed for one environment; those that this process cannot open stay as they are stored, and
   * the environment reports that it cannot open them either.
   */
  seal(environment: string, record: AppRecord): AppRecord {
    const key = this.keyring.of(environment);
    if (!key) return record;
    return withSecrets(this.withTransferKey(environment, record), (value, field) =>
      this.sealOne(key, record, value, field),
    );
  }

  /** Only the Supervisor has the key of the environment that gives. */
  private withTransferKey(to: string, record: AppRecord): AppRecord {
    const { uid, uploads } = record;
    const giver = uploads && this.keyring.of(uploads.from);
    if (!giver) return record;
    const { generation, ahead } = uploads;
    const key = transferKeyOf(giver, { uid, to, generation, ahead }).toString('base64url');
    return { ...record, uploads: { ...uploads, key } };
  }

  private sealOne(key: EnvironmentKey, record: AppRecord, value: string, field: SecretField): string {
    const id = `${key.id} ${record.uid} ${field}`;
    const known = this.known.get(id);
    if (known?.[0] === value) return known[1];
    try {
      const sealed = sealFor(unseal(value, this.keyring.atRest, record.name), key, record, field);
      if (this.known.size >= REMEMBERED) this.known.clear();
      this.known.set(id, [value, sealed]);
      return sealed;
    } catch {
      return value;
    }
  }
}

/** Whether no secret of a record can be read by whoever has the record. */
export function hasSealedSecrets(record: AppRecord): boolean {
  let sealed = true;
  withSecrets(record, (value) => {
    sealed &&= value.startsWith(BOUND) || value.startsWith(PREFIX);
    return value;
  });
  return sealed;
}

/** With its password in the form in which it may be stored. */
export function sealDatabase(database: AppDatabase, aesKey: Buffer | null): AppDatabase {
  return database.password ? { ...database, password: seal(database.password, aesKey) } : database;
}
