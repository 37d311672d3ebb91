import type { AppRecord } from '../../../shared/messages';
import { PATIENCE } from '../../timing';
import type { Decision } from './decide';

/**
 * What may be done by the cache, which is what a tenure finds in the snapshot. It waits for the records of the store first; where one has
 * not come in time, its app goes by the cache, and the rows in the app's database decide. Pure functions; nothing else says what differs.
 */

/** How long a tenure waits for records, in ms. */
export const RECORDS_WITHIN = PATIENCE;

/** What is known of an app. */
export interface Known {
  record: AppRecord;
  /** Whether the store had this record in this tenure. Otherwise it is the cache's. */
  confirmed: boolean;
}
type Confirmed = Pick<Known, 'confirmed'>;

/** Names of apps whose records are waited for. @param goesByCache whether they were waited for in vain */
export const awaitedOf = (apps: ReadonlyArray<[string, Confirmed]>, goesByCache: boolean): string[] =>
  goesByCache ? [] : apps.flatMap(([name, { confirmed }]) => (confirmed ? [] : name));

/** Whether anything may be done by what is known of an app. */
export const mayGoBy = ({ confirmed }: Confirmed, goesByCache: boolean): boolean => confirmed || goesByCache;

/** A database is neither created nor adopted by the cache. */
export const mayBootBy = ({ record, confirmed }: Known): boolean => confirmed || record.provision === 'none';

/** What cannot be undone goes by no cache. */
export const mayDoBy = ({ confirmed }: Confirmed, decision: Decision): boolean =>
  confirmed || !(decision.do === 'work' || (decision.do === 'remove' && decision.data === 'drop'));

/** A password goes by no cache: a newer one may be in use. */
export const maySetPasswordBy = ({ confirmed }: Confirmed): boolean => confirmed;

/** Whether the store is an older copy than what is known, which stands then: the Supervisor replaces it. */
export const isOlder = (received: AppRecord, known: Pick<Known, 'record'> | undefined): boolean =>
  known !== undefined && known.record.generation > received.generation;
