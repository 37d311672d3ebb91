import { EVENT } from '../../../shared/event';
import { keysIn } from '../../../shared/fields';
import { type ActionContext, type Answer, filtering, pageMeta, paging, sorting } from './action';

const SORTABLE = keysIn(EVENT, 'sort');
const FILTERABLE = [...SORTABLE, ...keysIn(EVENT, 'filter')];

export async function list({ supervisor, params }: ActionContext): Promise<Answer> {
  const { page, pageSize } = paging(params);
  const { events, view } = supervisor.parts;
  const sort = [...sorting(params.sort, SORTABLE, ['-at']), 'id'];
  const [found, count] = await events.page(filtering(params.filter, FILTERABLE), sort, page, pageSize);
  return { data: found.map((event) => view.eventRow(event)), meta: pageMeta(count, page, pageSize) };
}
