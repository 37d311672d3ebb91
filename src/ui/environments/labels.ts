import type { EnvironmentAction } from '../common/api';
import { key } from '../common/text';

export const ENVIRONMENT_ACTIONS: Record<EnvironmentAction, string> = {
  cordon: key('Cordon'),
  uncordon: key('Uncordon'),
  drain: key('Drain'),
  forget: key('Forget'),
};

/** What each does. */
export const ENVIRONMENT_HELP: Record<EnvironmentAction, string> = {
  cordon: key('It gets no new apps. Those that it has stay.'),
  uncordon: key('It gets new apps again. You may bring home those that a drain has taken away.'),
  drain: key('Move its apps to other environments, and give it no new ones.'),
  forget: key('Take it off the list: it will not come back. Its key ends.'),
};
