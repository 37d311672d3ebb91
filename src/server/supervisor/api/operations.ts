import { keysIn } from '../../../shared/fields';
import { OPERATION } from '../../../shared/operation';
import { AppSupervisorError } from '../../errors';
import { type ActionContext, type Answer, pageMeta, paging, sorting, target } from './action';
import { filtering } from './filter';

const SORTABLE = keysIn(OPERATION, 'sort');
const FILTERABLE = [...SORTABLE, ...keysIn(OPERATION, 'filter')];

export async function list({ supervisor, params }: ActionContext): Promise<Answer> {
  const { page, pageSize } = paging(params);
  const sort = sorting(params.sort, SORTABLE, ['-createdAt']);
  const [operations, count] = await supervisor.parts.operations.page(
    filtering(params.filter, OPERATION, FILTERABLE),
    sort,
    page,
    pageSize,
  );
  return {
    data: operations.map((operation) => supervisor.parts.view.operationRow(operation)),
    meta: pageMeta(count, page, pageSize),
  };
}

export async function get({ supervisor, params }: ActionContext): Promise<Answer> {
  const id = target(params);
  const operation = await supervisor.parts.operations.find(id);
  if (!operation) throw new AppSupervisorError('UNKNOWN_OPERATION', { operation: id });
  return { data: supervisor.parts.view.operationRow(operation) };
}

export async function cancel({ supervisor, params, userId }: ActionContext): Promise<Answer> {
  return { data: supervisor.parts.view.operationRow(await supervisor.parts.service.cancel(target(params), userId)) };
}

export async function retry({ supervisor, params, userId }: ActionContext): Promise<Answer> {
  return { data: supervisor.parts.view.operationRow(await supervisor.parts.service.retry(target(params), userId)) };
}
