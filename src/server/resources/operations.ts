import { AppSupervisorError } from '../errors';
import { operationRow } from '../parts/supervisor';
import { type ActionContext, type Answer, pageMeta, paging, sorting } from './action';

const SORTABLE = ['createdAt', 'appName', 'action', 'state', 'finishedAt'] as const;

export async function list({ supervisor, params }: ActionContext): Promise<Answer> {
  const { page, pageSize } = paging(params);
  const sort = sorting(params.sort, SORTABLE, ['-createdAt']);
  const [operations, count] = await supervisor.parts.operations.page(params.filter ?? {}, sort, page, pageSize);
  return { data: operations.map(operationRow), meta: pageMeta(count, page, pageSize) };
}

export async function get({ supervisor, params }: ActionContext): Promise<Answer> {
  const id = String(params.filterByTk);
  const operation = await supervisor.parts.operations.find(id);
  if (!operation) throw new AppSupervisorError('UNKNOWN_OPERATION', { operation: id });
  return { data: operationRow(operation) };
}

export async function cancel({ supervisor, params }: ActionContext): Promise<Answer> {
  return { data: operationRow(await supervisor.parts.service.cancel(String(params.filterByTk))) };
}

export async function retry({ supervisor, params, userId }: ActionContext): Promise<Answer> {
  return { data: operationRow(await supervisor.parts.service.retry(String(params.filterByTk), userId)) };
}
