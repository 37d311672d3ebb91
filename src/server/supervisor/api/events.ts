import { z } from 'zod';
import { EVENT, type EventRow } from '../../../shared/event';
import { keysIn } from '../../../shared/fields';
import type { EventStore } from '../definitions/event-store';
import { parseInput } from '../definitions/input';
import { eventsCsv } from '../events/csv';
import { type ActionContext, action, LIST, pageMeta, paging, sorting } from './action';
import { filtering } from './filter';

/** Maximum number of rows in a file. */
export const MOST_EXPORTED = 10_000;
/** Rows of one query for a file. */
const AT_ONCE = 500;

const FILTER =
  'NocoBase filter: `kind`, `appName`, `appUid`, `environment`, `createdById`, `operationId`, `at`, `endedAt`.';

const exportInput = z.object({ format: z.enum(['csv', 'json']).default('csv') });

export const EVENTS = {
  list: action({
    summary: 'What happened to apps and environments, newest first; kept for 90 days',
    reads: 'get',
    query: { ...LIST, filter: FILTER },
    gives: 'Event rows, and `meta`.',
    rows: ['appSupervisorEvent'],
    async work({ parts, params }) {
      const { page, pageSize } = paging(params);
      const sort = [...sorting(params.sort, keysIn(EVENT, 'sort'), ['-at']), 'id'];
      const filter = filtering(params.filter, EVENT);
      const [rows, count] = await rowsOf(parts, filter, sort, page, pageSize);
      return { data: rows, meta: pageMeta(count, page, pageSize) };
    },
  }),
  export: action({
    summary: 'The newest 10,000 events that match, as a file',
    reads: 'get',
    query: { filter: FILTER, format: '`csv` (default) or `json`.' },
    gives: 'Not in `data`: the file. `json` is a list of event rows; in `csv`, texts are in English.',
    async work({ parts, params }) {
      const { format } = parseInput(exportInput, { format: params.format });
      const filter = filtering(params.filter, EVENT);
      const found: EventRow[] = [];
      for (let page = 1; found.length < MOST_EXPORTED; page++) {
        const [rows] = await rowsOf(parts, filter, ['-at', 'id'], page, AT_ONCE);
        found.push(...rows);
        if (rows.length < AT_ONCE) break;
      }
      return format === 'csv'
        ? { file: 'activity.csv', type: 'text/csv; charset=utf-8', content: eventsCsv(found) }
        : { file: 'activity.json', type: 'application/json; charset=utf-8', content: JSON.stringify(found, null, 2) };
    },
  }),
};

/** Two queries, however many rows. */
async function rowsOf(
  { events, operations, view }: ActionContext['parts'],
  ...asked: Parameters<EventStore['page']>
): Promise<[EventRow[], number]> {
  const [found, count] = await events.page(...asked);
  const ids = [...new Set(found.flatMap(({ operationId }) => operationId ?? []))];
  const [named] = ids.length ? await operations.page({ id: { $in: ids } }, ['id'], 1, ids.length) : [[]];
  const byId = new Map(named.map((operation) => [operation.id, operation]));
  return [found.map((event) => view.eventRow(event, byId.get(event.operationId ?? ''))), count];
}
