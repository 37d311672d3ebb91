import type { EventRow } from '../../shared/types';
import type { Api } from '../common/api';
import { allPages } from '../common/pages';
import { HEAT_KINDS } from './heat';

/** Most events that are read; of what is older than the last one, nothing is shown. */
const MOST = 1_000;
const PAGE = 200;

/** Outages and failures since a time, newest first; also an outage that began before it, and lasts or ended in it. */
export async function eventsSince(
  api: Pick<Api, 'listEvents'>,
  from: number,
): Promise<{ events: EventRow[]; readFrom: number | null }> {
  const filter = {
    kind: { $in: HEAT_KINDS },
    $or: [{ at: { $gte: from } }, { endedAt: { $gte: from } }, { endedAt: { $eq: null } }],
  };
  const events = await allPages(
    (page) => api.listEvents(filter, page, PAGE),
    MOST,
    ({ id }) => id,
  );
  return { events, readFrom: events.length < MOST ? null : events[events.length - 1].at };
}
