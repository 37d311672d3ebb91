import type { Message } from '../../shared/message';
import type { AppRecord, Lease, ManifestItem, Registration, StatusEntry } from '../../shared/messages';
import { fail } from '../errors';

/**
 * The seam between those who manage and those who host. Two implementations: Redis, and memory for one process.
 *
 * `StateStore` is a cache of what the supervisor's database wishes and of what workers observe; losing its whole content
 * loses nothing, since both sides write theirs again. Its methods reject when the store cannot be reached; callers treat
 * that as "not now".
 */
export interface StateStore {
  /** Writes what `environment` is to do; a record with an older generation than the stored one of its name is ignored. */
  publish(environment: string, records: AppRecord[]): Promise<void>;
  /** Takes away records nobody needs any more: confirmed removals. */
  unpublish(environment: string, names: string[]): Promise<void>;
  /** What is wished of `environment`, of the given names or of all; what does not parse is left out. */
  readRecords(environment: string, names?: string[]): Promise<AppRecord[]>;
  /** All that is wished of `environment`; null while it is still of the version that the reader has. */
  readRecordsSince(environment: string, version: string | null): Promise<RecordsRead | null>;

  /** One constant-cost look at the whole fleet. */
  poll(): Promise<FleetSight>;
  /** How long each of these leases still holds without a beat, in ms; 0 of one that is gone. */
  leasesLeft(environments: string[]): Promise<Map<string, number>>;
  readRegistration(environment: string): Promise<Registration | null>;
  readStatuses(environment: string): Promise<StatusEntry[]>;
  /** Forgets all that is kept of an environment. */
  forget(environment: string): Promise<void>;
  /** Writes this fleet's id; answers another fleet's id when the same prefix is theirs already, else the given one. */
  claimFleet(id: string): Promise<string>;

  /** Takes, renews or asks for a lease; see `LeaseClaim`. */
  claimLease(claim: LeaseClaim): Promise<LeaseAnswer>;
  /** Gives a lease up at once, with its statuses; nothing if it is another's. */
  releaseLease(environment: string, instance: string, epoch: number): Promise<void>;
  writeRegistration(registration: Registration): Promise<void>;
  /** Writes statuses under a lease; false when the lease is not (or no longer) the writer's: nothing was written. */
  writeStatuses(write: StatusWrite): Promise<boolean>;
  /** What is stored of `environment`'s statuses: the version of the last write, and how many there are. */
  statusMark(environment: string): Promise<StatusMark>;

  /** Of each item the newest stays, also when that says that it was removed. */
  writeManifests(items: ManifestItem[]): Promise<void>;
  /** Everything of these incarnations of apps. */
  forgetManifests(uids: string[]): Promise<void>;
  /** All items; null when they are still of the version that the reader has, which is empty where there are none. */
  readManifests(version: string): Promise<{ version: string; items: ManifestItem[] } | null>;

  /** False when the directory is not (or no longer) as the writer left it: nothing was written. */
  writeAppIndex(write: AppIndexWrite): Promise<boolean>;
  /** What has changed of the directory since `version`, which is empty for a first time; null while there is none. */
  readAppIndex(version: string): Promise<AppIndexRead | null>;

  /** Answers of the store's own settings that break promises, in words. */
  warnings(): Promise<Message[]>;
  close(): Promise<void>;
}

export interface RecordsRead {
  /** Changes with every change of a record, and is lost with them; null of an environment that has none. */
  version: string | null;
  records: AppRecord[];
}

export interface StatusMark {
  version: number;
  count: number;
}

export interface FleetSight {
  /** Null when the store was flushed since the last claim. */
  fleet: string | null;
  environments: Map<string, { lease: Lease | null; statusVersion: number; standby: string | null }>;
}

export interface LeaseClaim {
  environment: string;
  /** What the lease will hold; `epoch` is the one last held, 0 for none. */
  lease: Lease;
  /** How long it holds without renewal, in ms. */
  ttl: number;
  /** Whether a lease that nobody holds may be taken by one who did not hold it last. */
  mayTake: boolean;
  /**
   * Fingerprint of the main database whose session lock the claimer holds, or null. A lease with the same fingerprint
   * is provably a dead process's, since only one can hold that lock, and is taken over at once.
   */
  provenBy: string | null;
}

export type LeaseAnswer =
  /** Renewed, as before. */
  | { held: true; epoch: number; fresh: false }
  /** Taken or retaken: registration and statuses have to be written again. */
  | { held: true; epoch: number; fresh: true }
  /** Another live instance has it. */
  | { held: false; holder: { instance: string; epoch: number } }
  /** Nobody has it and the claimer may not take it yet. */
  | { held: false; holder: null };

export interface StatusWrite {
  environment: string;
  instance: string;
  epoch: number;
  entries: StatusEntry[];
  removed: string[];
  /** Grows with every write, so that a reader knows whether there is something to fetch. */
  version: number;
  /** Whether `entries` is all there is: what else is stored goes away. */
  complete: boolean;
}

/** A change of the directory of all apps. */
export interface AppIndexWrite {
  /** That the directory must have; null: whatever there is goes away, `entries` is all there is. */
  from: string | null;
  /** That it has afterwards. One content has one version, so that who has read it need not read it again. */
  version: string;
  /** By name, as JSON. */
  entries: Map<string, string>;
  /** Names that are no more. */
  gone: string[];
  /** Who manages the apps, as JSON. */
  supervisor: string;
}

export interface AppIndexRead {
  version: string;
  /** Whether `entries` is all there is; else what is neither there nor in `gone` is as it was. */
  complete: boolean;
  /** By name, unparsed. */
  entries: Map<string, unknown>;
  gone: string[];
  supervisor: unknown;
}

/** Wake-ups and request/reply. Wake-ups may be lost, doubled or late; requests fail by their deadline. */
export interface MessageBus {
  /** Never rejects: a lost wake-up costs time only. */
  notify(to: Audience, names: string[]): void;
  onNotify(me: Audience, listener: (names: string[]) => void): Promise<void>;
  /**
   * @param timeout in ms
   * @returns what the worker answered, for the caller to parse
   * @throws AppSupervisorError WORKER_SILENT or WORKER_FAILED
   */
  request(environment: string, method: string, payload: unknown, timeout: number): Promise<unknown>;
  serve(environment: string, handlers: RequestHandlers): Promise<void>;
  close(): Promise<void>;
}

export type Audience = 'supervisors' | { environment: string };
export type RequestHandlers = Record<string, (payload: unknown) => Promise<unknown>>;

/** A handler's answer to a request, whatever is asked and however it fails. */
export async function callHandler(handlers: RequestHandlers, method: string, payload: unknown): Promise<unknown> {
  if (!Object.hasOwn(handlers, method)) fail('UNKNOWN_REQUEST', { request: method });
  return handlers[method](payload);
}

/** Where an item lies: of all incarnations of an app, the newest has the place. */
export const manifestField = ({ app, namespace, key }: Pick<ManifestItem, 'app' | 'namespace' | 'key'>): string =>
  JSON.stringify([app, namespace, key]);

/** Whether `item` takes the place of `stored`; as in writeManifests-2.lua. */
export const isNewer = (item: ManifestItem, stored: ManifestItem | undefined): boolean => item.at > (stored?.at ?? -1);
