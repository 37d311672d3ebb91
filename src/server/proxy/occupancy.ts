import type { Bounds } from '../config/bounds';
import type { LimitName } from '../observability/metrics';
import type { AnswerCode } from './answers';
import { Pace } from './pace';

/** Ends the use of a place; a repeated call does nothing. */
export type Leave = () => void;

const MINUTE = 60_000;
/** Sign-ins of one address that may follow each other at once. */
const SIGN_INS_AT_ONCE = 50;
/** Addresses whose wake-ups are remembered. */
const MOST_ADDRESSES = 10_000;
/** In the place of an address that is not known, which visitors could otherwise choose to be without a limit. */
const UNKNOWN = '';

/** Counts what is under way. Times are monotonic milliseconds. */
export class Occupancy {
  readonly #requests = new Places();
  readonly #webSockets = new Places();
  readonly #byAddress = new Places();
  readonly #signIns: Pace;
  /** By address, the apps that it has woken in the minute that began then. */
  readonly #wakes = new Map<string, { since: number; apps: Set<string> }>();

  constructor(readonly bounds: Bounds) {
    this.#signIns = new Pace(
      MINUTE / bounds.signInsPerAddress,
      Math.min(SIGN_INS_AT_ONCE, bounds.signInsPerAddress),
      0,
    );
  }

  /** @returns null if the app has as many requests as it may */
  request(app: string): Leave | null {
    return this.#requests.enter(app, this.bounds.requestsPerApp);
  }

  /**
   * @param address of the visitor; null if it is not known for certain: all of these count as one
   * @returns the answer for a visitor who gets no place
   */
  webSocket(app: string, address: string | null): Leave | AnswerCode {
    const leave = this.#webSockets.enter(app, this.bounds.webSocketsPerApp);
    if (!leave) return 'APP_BUSY';
    const leaveToo = this.#byAddress.enter(address ?? UNKNOWN, this.bounds.webSocketsPerAddress);
    if (!leaveToo) leave();
    return leaveToo ? () => [leave, leaveToo].forEach((each) => void each()) : 'ADDRESS_BUSY';
  }

  /**
   * Whether this address may try to sign in now.
   * @param address null if it is not known for certain: all of these are one
   */
  maySignIn(address: string | null, now: number): boolean {
    return this.#signIns.turn(address, now) !== null;
  }

  /** Whether a visit from this address may start an app that is not running. */
  mayWake(app: string, from: string | null, now: number): boolean {
    const address = from ?? UNKNOWN;
    let woken = this.#wakes.get(address);
    if (!woken || now - woken.since >= MINUTE) {
      this.#wakes.delete(address); // so that the newest one is the last
      woken = { since: now, apps: new Set() };
      this.#wakes.set(address, woken);
      if (this.#wakes.size > MOST_ADDRESSES) this.#wakes.delete(this.#wakes.keys().next().value as string);
    }
    if (!woken.apps.has(app) && woken.apps.size >= this.bounds.wakesPerAddress) return false;
    woken.apps.add(app);
    return true;
  }
}

/** @param code with which `webSocket` has refused one */
export const limitOfWebSockets = (code: AnswerCode): LimitName =>
  code === 'ADDRESS_BUSY' ? 'websockets_per_address' : 'websockets_per_app';

/** Places by key; a key without any takes no memory. */
class Places {
  readonly #taken = new Map<string, number>();

  enter(key: string, most: number): Leave | null {
    const taken = this.#taken.get(key) ?? 0;
    if (taken >= most) return null;
    this.#taken.set(key, taken + 1);
    let isHere = true;
    return () => {
      if (!isHere) return;
      isHere = false;
      const left = (this.#taken.get(key) ?? 1) - 1;
      if (left > 0) this.#taken.set(key, left);
      else this.#taken.delete(key);
    };
  }
}
