import type { EnvironmentAction } from '../common/api';
import { key } from '../common/text';

export const ENVIRONMENT_ACTIONS: Record<EnvironmentAction, string> = {
  cordon: key('Cordon'),
  uncordon: key('Uncordon'),
  drain: key('Drain'),
  forget: key('Forget'),
};

/** Questions before an action. Cordoning has none: it is harmless and easy to undo. */
export const QUESTIONS: Partial<Record<EnvironmentAction, { title: string; consequence: string; agree: string }>> = {
  drain: {
    title: key('Drain environment "{{environment}}"?'),
    consequence: key('It accepts no new apps, and its apps are stopped there.'),
    agree: key('Drain'),
  },
  forget: {
    title: key('Forget environment "{{environment}}"?'),
    consequence: key('It is removed from the list and from its apps. If its worker starts again, it registers again.'),
    agree: key('Forget'),
  },
};
