import { newViewInput, viewInput } from '../definitions/input';
import type { DescribedAction } from './openapi-action';
import type { ROWS } from './openapi-schemas';

const ONE_VIEW = { filterByTk: 'Id of the view.' };

/** The actions of `appViews` as NocoBase's API documentation shows them. */
export const VIEW_ACTIONS: Record<string, DescribedAction<keyof typeof ROWS>> = {
  list: {
    summary: "The caller's saved views of the list of apps",
    gives: 'The views, by name.',
    rows: ['appSupervisorView'],
  },
  create: {
    summary: 'Save a view of the list of apps for the caller',
    body: newViewInput,
    gives: 'The view.',
    rows: 'appSupervisorView',
  },
  update: {
    summary: "Rename one of the caller's views, or save another address in it",
    query: ONE_VIEW,
    body: viewInput,
    gives: 'The view.',
    rows: 'appSupervisorView',
    errors: ['UNKNOWN_VIEW'],
  },
  destroy: {
    summary: "Delete one of the caller's views",
    query: ONE_VIEW,
    gives: 'Its id.',
    errors: ['UNKNOWN_VIEW'],
  },
};
