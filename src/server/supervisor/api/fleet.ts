import { action } from './action';

export const FLEET = {
  checklist: action({
    summary: 'The security checklist: what holds here and now',
    reads: 'get',
    gives: 'Rows, red ones first. The text of a row is that of its `code` and `params`.',
    rows: ['appSupervisorChecklistRow'],
    work: async ({ parts }) => ({ data: parts.checklist() }),
  }),
  summary: action({
    summary: 'Counts by status, environments with their apps and load, problems with remedies, what needs attention',
    reads: 'get',
    gives: 'The summary.',
    rows: 'appSupervisorSummary',
    work: async ({ parts }) => ({ data: parts.summary.get() }),
  }),
  load: action({
    summary: 'The last hour of each environment: memory, event-loop delay, requests and errors',
    reads: 'get',
    gives: 'The series.',
    rows: 'appSupervisorLoad',
    work: async ({ parts }) => ({ data: parts.load.load() }),
  }),
};
