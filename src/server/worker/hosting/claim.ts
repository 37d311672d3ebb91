import type { AppRecord } from '../../../shared/messages';
import { isCredible } from '../../credible';
import type { HostPlace, HostRow } from '../../databases';
import { AppSupervisorError } from '../../errors';

/** What makes a process the host of its environment. */
export interface HostingAuthority {
  /** As in rows of apps' databases. */
  environment: string;
  /** This process. */
  holder: string;
  /** Of this process; a successor's is higher. */
  term(): number;
  /** In ms since 1970. */
  now(): number;
  /** Whether this process hosts its environment, as its main database says now. Never rejects. */
  confirm(): Promise<boolean>;
  /**
   * Another process hosted an app in this term, and this one holds the environment: its main database has fallen back. Takes a higher
   * term, at most once in a tenure for each app. Never rejects.
   * @returns whether the term of this process is higher now
   */
  raise(term: number, app: string): Promise<boolean>;
}

/** What a record says of who may host the app. */
export type HostingWish = Pick<AppRecord, 'uid' | 'generation' | 'environments' | 'hosts' | 'left'>;

type Me = Pick<HostingAuthority, 'environment' | 'holder' | 'term' | 'now'>;

/** An app does not start here by a record that is older than what its database says. */
export class HostingTaken extends AppSupervisorError<'HOSTING_TAKEN'> {
  /** @param newest the generation in which it left, or was started elsewhere */
  constructor(
    app: string,
    environment: string,
    readonly newest: number,
  ) {
    super('HOSTING_TAKEN', { app, environment });
  }
}

/** What a claim does. */
export type Verdict =
  /** The rows that are written, and the environments whose rows go. */
  | { write: HostRow[]; remove: string[] }
  /** Refused: the database knows a newer generation. */
  | { newest: number }
  /** Refused until the term of this process is above this one. */
  | { above: number };

/** A row names the environment of a process, or a place in it. */
const environmentOf = (place: string): string => place.split('/')[0];

/** Environments that may host the app by this record; of a Supervisor before 0.3.0, those in which the app is. */
const hostsOf = ({ hosts, environments }: HostingWish): string[] => hosts ?? environments;

/**
 * Whether a process may host an app by a record, and what becomes of the rows: its own is written, and that of every environment that may
 * not host the app by this record says that the app has left. Pure.
 *
 * @param found rows as the app's role may have written them
 */
export function judgeClaim(found: HostRow[], wish: HostingWish, me: Me): Verdict {
  const { uid, generation, left = [] } = wish;
  const { environment, holder } = me;
  const term = me.term();
  const rows = credible(found, generation, me.now()).filter((row) => row.uid === uid);
  const own = rows.find((row) => row.environment === environment);
  if (own && (own.gone ? own.generation >= generation : own.generation > generation)) return { newest: own.generation };
  const hosts = hostsOf(wish);
  const mayHost = (place: string) => place === environment || hosts.includes(environmentOf(place));
  const others = rows.filter((row) => !mayHost(row.environment));
  const newer = others.filter((row) => !row.gone && row.generation > generation);
  if (newer.length) return { newest: Math.max(...newer.map((row) => row.generation)) };
  if (own && own.term > term && own.holder !== holder) return { above: own.term };
  const unknown = left.filter((place) => !mayHost(place) && !rows.some((row) => row.environment === place));
  const gone = [
    ...others,
    ...unknown.map((place) => ({ environment: place, uid, term: 0, holder: '', generation: 0 })),
  ];
  return {
    write: [
      { environment, uid, term, holder, generation, gone: false },
      ...gone.map((row) => ({ ...row, generation: Math.max(row.generation, generation), gone: true })),
    ],
    remove: found.filter((row) => row.uid !== uid && row.environment !== environment).map((row) => row.environment),
  };
}

/** Ignores numbers that no app and no process can have: whoever administers the app can write any. */
function credible(rows: HostRow[], generation: number, now: number): HostRow[] {
  // The clock of the Supervisor may be ahead.
  const newest = Math.max(now, generation);
  const of = (value: number) => (isCredible(value, newest) ? value : 0);
  return rows.map((row) => ({ ...row, generation: of(row.generation), term: of(row.term) }));
}

/**
 * Makes this process the host of an app in its environment: its row, and no session of a process that may not host the app any more.
 *
 * @throws HostingTaken, HOSTING_LOST, HOSTING_HELD, and errors of the database
 */
export async function claimHosting(
  place: HostPlace,
  record: Pick<AppRecord, 'name'> & HostingWish,
  authority: HostingAuthority,
): Promise<void> {
  const { environment } = authority;
  const verdict = await place.change<Verdict>((rows) => judgeClaim(rows, record, authority));
  if ('newest' in verdict) throw new HostingTaken(record.name, environment, verdict.newest);
  if ('above' in verdict) {
    if (!(await authority.raise(verdict.above, record.name)))
      throw new AppSupervisorError('HOSTING_LOST', { environment });
    return claimHosting(place, record, authority);
  }
  await endOthers(place, record, verdict.write);
}

/** Also where there is no row: data that were restored may lack it. */
async function endOthers(place: HostPlace, wish: HostingWish, rows: HostRow[]): Promise<void> {
  const living = new Map(rows.flatMap((row) => (row.gone ? [] : [[row.environment, row.holder] as const])));
  const gone = rows.flatMap((row) => (row.gone ? row.environment : []));
  for (const environment of new Set([...living.keys(), ...gone, ...(wish.left ?? [])])) {
    if (environment !== rows[0].environment && hostsOf(wish).includes(environmentOf(environment))) continue;
    await place.endSessions(environment, living.get(environment) ?? null);
  }
}

/**
 * Ends a boot that keeps the boot lock from this process and may not host the app: it may be frozen. Nothing is ended by a record that is
 * older than what the rows say.
 *
 * @returns whether one was ended
 */
export async function endBootInTheWay(
  place: HostPlace,
  record: HostingWish,
  authority: HostingAuthority,
): Promise<boolean> {
  if (!(await authority.confirm())) return false;
  // Read only, and not waiting for the other one's transaction, in which it may be frozen: the claim follows, under the lock.
  const verdict = judgeClaim(await place.rows(), record, authority);
  if (!('write' in verdict)) return false;
  const places = [...verdict.write.map((row) => row.environment), ...(record.left ?? [])];
  const isOut = (one: string) => one === authority.environment || !hostsOf(record).includes(environmentOf(one));
  return place.endBoot([...new Set(places.filter(isOut))], authority.holder);
}

/**
 * An app leaves the environment of this process: no older record starts it there, and no session of a former process writes.
 *
 * @throws HostingTaken if the app was claimed there by a newer record, HOSTING_HELD, and errors of the database
 */
export async function leaveHosting(
  place: HostPlace,
  { name, uid, generation }: Pick<AppRecord, 'name' | 'uid' | 'generation'>,
  me: Me,
): Promise<void> {
  const { environment } = me;
  const { newest } = await place.change((rows) => judgeLeaving(rows, { uid, generation }, me));
  if (newest !== undefined) throw new HostingTaken(name, environment, newest);
  await place.endSessions(environment, null);
}

/** As `judgeClaim`. */
export function judgeLeaving(
  found: HostRow[],
  { uid, generation }: Pick<AppRecord, 'uid' | 'generation'>,
  { environment, holder, term, now }: Me,
): { write: HostRow[]; newest?: number } {
  const own = credible(found, generation, now()).find((row) => row.uid === uid && row.environment === environment);
  if (own && !own.gone && own.generation > generation) return { write: [], newest: own.generation };
  const row = own ?? { environment, uid, term: term(), holder, generation: 0 };
  return { write: [{ ...row, generation: Math.max(row.generation, generation), gone: true }] };
}
