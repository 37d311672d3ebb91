import type { FleetSummary } from '../../shared/summary';
import type { PATHS } from '../common/paths';
import { key } from '../common/text';

export interface FirstStep {
  key: string;
  label: string;
  button: string;
  page: keyof typeof PATHS;
  search: string;
  isDone: boolean;
}

/** What a fleet needs until its first app runs, in order. @param isLocal the only environment is this process */
export function firstSteps({ environments, total, counts }: FleetSummary, isLocal: boolean): FirstStep[] {
  const add: FirstStep = {
    key: 'environment',
    label: key('An environment is online: a place where apps run'),
    button: key('Add environment'),
    page: 'environments',
    search: '',
    isDone: environments.some(({ health }) => health === 'online') || total > 0,
  };
  return [
    ...(isLocal ? [] : [add]),
    {
      key: 'app',
      label: key('The first app is created'),
      button: key('Add the first app'),
      page: 'apps',
      search: '?add=1',
      isDone: total > 0,
    },
    {
      key: 'runs',
      label: key('It runs, or starts when somebody visits it'),
      button: key('Apps'),
      page: 'apps',
      search: '',
      // Later an outage is a problem, and no first step.
      isDone: total > 1 || Boolean(counts.running || counts.dormant || counts.stopped),
    },
  ];
}
