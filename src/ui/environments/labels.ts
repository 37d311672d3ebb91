import type { EnvironmentAction } from '../common/api';
import { key } from '../common/text';

export const ENVIRONMENT_ACTIONS: Record<EnvironmentAction, string> = {
  cordon: key('Cordon'),
  uncordon: key('Uncordon'),
  drain: key('Drain'),
  forget: key('Forget'),
};
