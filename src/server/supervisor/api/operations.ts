import { keysIn } from '../../../shared/fields';
import { OPERATION } from '../../../shared/operation';
import { AppSupervisorError } from '../../errors';
import { action, LIST, pageMeta, paging, sorting } from './action';
import { filtering } from './filter';

const ONE_OPERATION = { filterByTk: 'Id of the operation.' };

export const OPERATIONS = {
  list: action({
    summary: 'Operations, newest first',
    reads: 'get',
    query: LIST,
    gives: 'Operation rows, and `meta`.',
    rows: ['appSupervisorOperation'],
    async work({ parts, params }) {
      const { page, pageSize } = paging(params);
      const sort = sorting(params.sort, keysIn(OPERATION, 'sort'), ['-createdAt']);
      const filter = filtering(params.filter, OPERATION);
      const [operations, count] = await parts.operations.page(filter, sort, page, pageSize);
      const data = operations.map((operation) => parts.view.operationRow(operation));
      return { data, meta: pageMeta(count, page, pageSize) };
    },
  }),
  get: action({
    summary: 'One operation',
    reads: 'get',
    query: ONE_OPERATION,
    gives: 'The row.',
    rows: 'appSupervisorOperation',
    errors: ['UNKNOWN_OPERATION'],
    async work({ parts, name: id }) {
      const operation = await parts.operations.find(id);
      if (!operation) throw new AppSupervisorError('UNKNOWN_OPERATION', { operation: id });
      return { data: parts.view.operationRow(operation) };
    },
  }),
  cancel: action({
    summary: 'Cancel an operation: what has begun stays, and nothing else is begun',
    query: ONE_OPERATION,
    gives: 'The operation.',
    rows: 'appSupervisorOperation',
    errors: ['UNKNOWN_OPERATION', 'OPERATION_OVER', 'OPERATION_BEGUN'],
    work: async ({ parts, name, userId }) => ({
      data: parts.view.operationRow(await parts.service.cancel(name, userId)),
    }),
  }),
  retry: action({
    summary: 'Ask again for what the newest operation of an app asked for, if that failed or was cancelled',
    query: ONE_OPERATION,
    gives: 'The new operation.',
    rows: 'appSupervisorOperation',
    errors: [
      'UNKNOWN_OPERATION',
      'OPERATION_OVER',
      'OPERATION_SUPERSEDED',
      'UNKNOWN_APP',
      'UNKNOWN_ENVIRONMENT',
      'OPERATION_BEGUN',
    ],
    work: async ({ parts, name, userId }) => ({
      data: parts.view.operationRow(await parts.service.retry(name, userId)),
    }),
  }),
};
