import type { Lease, Registration, StatusEntry } from '../../../shared/messages';
import type { Health } from '../../../shared/types';
import type { Now } from '../../clock';
import { type LeaseObservation, unobserved } from '../../protocol/health';
import type { FleetObservation } from '../../protocol/stores/fleet';

/** What the observer keeps of one environment. */
export class ObservedEnvironment {
  observation: LeaseObservation;
  /** The lease as last polled, null if it is not believed; also of a holder whose registration is not read yet. */
  held: Lease | null = null;
  registration: Registration | null = null;
  /** The announced registration that was read last, and until when it counts as read, by the monotonic clock: for ever, if it was there and believed. */
  read: { epoch: number; registered: number; until: number } | null = null;
  standby: string | null = null;
  /** Whether the standby belongs to another installation. */
  isForeign = false;
  /** As in `EnvironmentObservation`. */
  doubt: NonNullable<Found['doubt']> | null = null;
  /** Since when no connection to its Worker could be established, in ms since 1970; null while nobody found that. */
  unreachableSince: number | null = null;
  statusVersion = 0;
  entries = new Map<string, StatusEntry>();
  /** The epoch of the holder that reported the entries; null before the first lease. */
  epoch: number | null = null;

  constructor(now: Now) {
    this.observation = unobserved(now);
  }
}

/** All of them, by name. */
export class ObservedEnvironments extends Map<string, ObservedEnvironment> {
  /** By app, the environments that report it: each pass of each app asks, in a fleet of any number of environments. */
  private readonly places = new Map<string, Set<string>>();

  placesOf(app: string): string[] {
    return [...(this.places.get(app) ?? [])];
  }

  /** What an environment reports of its apps is about to be this. */
  place(name: string, entries: ReadonlyMap<string, StatusEntry>): void {
    for (const app of this.get(name)?.entries.keys() ?? []) {
      const places = this.places.get(app);
      if (!entries.has(app) && places?.delete(name) && !places.size) this.places.delete(app);
    }
    for (const app of entries.keys()) this.places.set(app, (this.places.get(app) ?? new Set()).add(name));
  }

  override delete(name: string): boolean {
    this.place(name, new Map());
    return super.delete(name);
  }
}

/** What a poll found of one. */
export type Found = FleetObservation['environments'] extends Map<string, infer T> ? T : never;

/** What the Supervisor observes of one environment right now. */
export interface EnvironmentView
  extends Pick<ObservedEnvironment, 'held' | 'registration' | 'standby' | 'isForeign' | 'unreachableSince'> {
  name: string;
  health: Health;
  since: number;
  /** For how long its health has been the same without a break, in ms by the monotonic clock: 0 until that was reported. */
  lastsFor: number;
  lease: Lease | null;
  /** Whether the last holder gave the lease back. */
  released: boolean;
  /** Why nothing that it says is believed; null if it is, or it says nothing. */
  trouble: 'OUTDATED' | 'KEY_DIFFERS' | null;
  lastHeartbeatAt: number | null;
}

/** A Worker that has signed before, and does not any more, is somebody else. */
export function troubleOf({ doubt, registration }: ObservedEnvironment): EnvironmentView['trouble'] {
  if (doubt === 'key') return 'KEY_DIFFERS';
  return doubt === 'unsigned' && !registration?.signs ? 'OUTDATED' : null;
}
