import type { DescribedAction } from './openapi-action';
import type { ROWS } from './openapi-schemas';

/** The actions of `appFleet` as NocoBase's API documentation shows them. */
export const FLEET_ACTIONS: Record<string, DescribedAction<keyof typeof ROWS>> = {
  checklist: {
    summary: 'The security checklist: what holds here and now',
    method: 'get',
    gives: 'Rows, red ones first. The text of a row is that of its `code` and `params`.',
    rows: ['appSupervisorChecklistRow'],
  },
  summary: {
    summary: 'Counts by status, environments with their apps and load, problems with remedies, what needs attention',
    method: 'get',
    gives: 'The summary.',
    rows: 'appSupervisorSummary',
  },
  load: {
    summary: 'The last hour of each environment: memory, event-loop delay, requests and errors',
    method: 'get',
    gives: 'The series.',
    rows: 'appSupervisorLoad',
  },
};
