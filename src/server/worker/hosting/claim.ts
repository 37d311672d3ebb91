import type { AppRecord } from '../../../shared/messages';
import { isCredible } from '../../credible';
import type { HostingRow, HostingRows } from '../../databases';
import { AppSupervisorError } from '../../errors';

/** What makes a process the host of its environment. */
export interface HostingAuthority {
  environment: string;
  instance: string;
  /** Fingerprint of the main database of this process; empty while it is unknown. */
  installation(): string;
  /** Of this process; a successor's is higher. */
  epoch(): number;
  /** In ms since 1970. */
  now(): number;
  /** Whether this process hosts its environment, as its main database says now. Never rejects. */
  confirm(): Promise<boolean>;
  /**
   * Another process hosted an app in this epoch, and this one has taken over since: from now on its epoch is higher.
   */
  exceed(epoch: number): Promise<void>;
  /** Which of these environments nobody holds now, as far as the store says so. Never rejects. */
  silentOf(environments: string[]): Promise<string[]>;
}

/**
 * Whether a process of another installation hosts an app: both hold the environment, each by its own main database, and would take the
 * app from each other for ever.
 */
export function isForeign(row: HostingRow | undefined, uid: string, authority: HostingAuthority): boolean {
  if (row?.uid !== uid || row.taken > 0 || row.instance === authority.instance) return false;
  const own = authority.installation();
  return own !== '' && row.installation !== '' && row.installation !== own;
}

const rowOf = (
  { uid, generation }: Pick<AppRecord, 'uid' | 'generation'>,
  { environment, instance, epoch, installation }: HostingAuthority,
) => ({
  environment,
  uid,
  generation,
  instance,
  epoch: epoch(),
  taken: 0,
  installation: installation(),
});

/** Ignores generations in rows that no app can have: whoever administers the app can write any number. */
function credible(
  rows: HostingRow[],
  { generation }: Pick<AppRecord, 'generation'>,
  { now }: Pick<HostingAuthority, 'now'>,
): HostingRow[] {
  // The clock of the Supervisor may be ahead.
  const newest = Math.max(now(), generation);
  const of = (value: number) => (isCredible(value, newest) ? value : 0);
  return rows.map((row) => ({ ...row, generation: of(row.generation), taken: of(row.taken) }));
}

/**
 * Whether a process may boot an app by the row of its environment.
 * - `begin`: nobody else hosts it there, or only a process from which this one has taken over.
 * - `taken`: the app was taken from the environment in a newer generation than the one that this process knows.
 * - `newer`: a process of a newer epoch hosts it.
 */
export function judgeRow(
  row: HostingRow | undefined,
  me: Pick<HostingRow, 'uid' | 'instance' | 'epoch' | 'generation'>,
): 'begin' | 'taken' | 'newer' {
  if (!row || row.uid !== me.uid) return 'begin';
  if (row.taken > 0 && row.taken >= me.generation) return 'taken';
  return row.instance === me.instance || row.epoch < me.epoch ? 'begin' : 'newer';
}

/** An app does not start here by a record that is older than what its database says. */
export class HostingTaken extends AppSupervisorError<'HOSTING_TAKEN'> {
  /** @param newest the generation in which it was taken, or has started elsewhere */
  constructor(
    app: string,
    environment: string,
    readonly newest: number,
  ) {
    super('HOSTING_TAKEN', { app, environment });
  }
}

/** What came of a claim. */
export type Claim =
  /** This process hosts the app. The app has left these environments, and they may still run it. */
  | { left: string[] }
  /** Nothing was written: first find out which of these environments, which the app has left, nobody holds. */
  | { ask: string[] };

/**
 * Writes the row of this environment into an app's database, under the boot lock, and takes the app from environments that it has left:
 * from all of them if this is its only one, so that two never act on its data; otherwise from those that nobody holds. Where one that somebody
 * holds has started it by a newer record, the app belongs there by now, and does not start here by the older one. This waits for no other
 * environment: its caller finds out about them, and then decides again.
 *
 * @param backend the server's id of the session that holds the boot lock
 * @param silent the environments that nobody holds; null: unknown
 * @returns null if this process does not host any more
 * @throws HostingTaken
 */
export async function claimHosting(
  rows: HostingRows,
  record: AppRecord,
  backend: string,
  authority: HostingAuthority,
  silent: string[] | null,
): Promise<Claim | null> {
  const { environment, instance } = authority;
  const { uid, generation } = record;
  if (!(await authority.confirm())) return null;
  const all = credible(await rows.all(), record, authority);
  const own = all.find((row) => row.environment === environment);
  const verdict = judgeRow(own, { uid, instance, epoch: authority.epoch(), generation });
  if (verdict === 'taken' && own) throw new HostingTaken(record.name, environment, own.taken);
  const left = leftBy(all, record, environment);
  const isOnly = isOnlyPlace(record, environment);
  const mayHold = left.filter((row) => !isOnly || row.generation > generation);
  if (mayHold.length && !silent) return { ask: mayHold.map(placeIn) };
  const held = mayHold.filter((row) => !silent?.includes(row.environment));
  // By that one the app may be there alone.
  if (isOnly && held.length)
    throw new HostingTaken(record.name, environment, Math.max(...held.map((row) => row.generation)));
  // This process holds the environment: what is newer was written before its main database fell back to an older copy.
  if (verdict === 'newer' && own) {
    await authority.exceed(own.epoch);
    // The beat in it may have found another host.
    if (!(await authority.confirm())) return null;
  }
  await rows.write({ ...rowOf(record, authority), boot: backend });
  for (const row of left) if (!held.includes(row)) await rows.take(row, Math.max(generation, row.generation));
  return { left: held.map(placeIn) };
}

/**
 * Writes the row of this environment again if the app runs here and has none: other data were restored into it.
 * @returns whether it had none
 */
export async function restoreRow(
  rows: HostingRows,
  record: Pick<AppRecord, 'uid' | 'generation'>,
  authority: HostingAuthority,
): Promise<boolean> {
  const { environment } = authority;
  const own = (await rows.all()).find((row) => row.environment === environment);
  if (own?.uid === record.uid || !(await authority.confirm())) return false;
  await rows.write({ ...rowOf(record, authority), boot: '' });
  return true;
}

/** How many environments an app can have left at once: its administrator can write any number of rows. */
const MOST_LEFT = 50;

/** A row names the environment of a process, or a place in it. */
const environmentOf = (place: string): string => place.split('/')[0];

const placeIn = ({ environment }: HostingRow): string => environment;

const isOnlyPlace = ({ environments }: Pick<AppRecord, 'environments'>, own: string): boolean =>
  environments.length === 1 && environments[0] === environmentOf(own);

/**
 * The rows of processes that may not host the app any more: this one has taken their environment over, or the app has left that
 * environment for this one, its only one. The Supervisor publishes such an app only when the other environment has ended it or is down. One
 * that boots it by a newer record may have it by now. None if the app was taken from this environment: then its record here is older than what the others boot by.
 */
export function displacedRows(
  found: HostingRow[],
  record: Pick<AppRecord, 'uid' | 'environments' | 'generation'>,
  authority: Pick<HostingAuthority, 'environment' | 'instance' | 'epoch' | 'now'>,
): HostingRow[] {
  const { uid, generation } = record;
  const { environment, instance, epoch } = authority;
  const rows = credible(found, record, authority);
  const own = rows.find((row) => row.environment === environment);
  if (judgeRow(own, { uid, instance, epoch: epoch(), generation }) === 'taken') return [];
  return rows.filter((row) => {
    if (row === own) return row.instance !== instance && row.epoch < epoch();
    const isOther = environmentOf(row.environment) !== environmentOf(environment);
    return isOther && row.uid === uid && row.generation <= generation && isOnlyPlace(record, environment);
  });
}

/** Rows of environments that host the app, and to which it does not belong any more. */
const leftBy = (rows: HostingRow[], { uid, environments }: AppRecord, own: string): HostingRow[] =>
  rows
    .filter((row) => row.uid === uid && row.taken === 0 && row.environment !== own)
    .filter((row) => !environments.includes(environmentOf(row.environment)))
    .slice(0, MOST_LEFT);
