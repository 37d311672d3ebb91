import type { ErrorCode } from '../../errors';
import { makeInput } from '../containers/container-input';
import type { DescribedAction } from './openapi-action';

/** The actions of `appContainers` as NocoBase's API documentation shows them. */

const ONE_ENVIRONMENT = { filterByTk: 'Name of the environment.' };
const CONTAINER =
  '`[{environment, name, image, isOutdated, status, since, cause, lastLines, restarts, memory, cpus}]`; `cause` and `lastLines` are those of its end.';
const ENGINE: ErrorCode[] = ['ENGINE_OFF', 'ENGINE_FAILED', 'UNKNOWN_CONTAINER'];

export const CONTAINER_ACTIONS: Record<string, DescribedAction<never>> = {
  list: {
    summary: 'Containers of Workers that the Supervisor has made in its engine',
    gives: CONTAINER,
    errors: ['ENGINE_OFF', 'ENGINE_FAILED'],
  },
  create: {
    summary: "Make and start the container of a new environment, with the Supervisor's image",
    body: makeInput,
    gives: 'The row.',
    errors: [
      'ENGINE_OFF',
      'ENGINE_FAILED',
      'CONTAINER_EXISTS',
      'VOLUME_FOREIGN',
      'DATABASE_UNREACHABLE',
      'DATABASE_SIGN_IN',
    ],
  },
  start: {
    summary: 'Start',
    query: ONE_ENVIRONMENT,
    gives: 'The row.',
    errors: ENGINE,
  },
  stop: {
    summary: 'Stop; NocoBase has 60 s to end',
    query: ONE_ENVIRONMENT,
    gives: 'The row.',
    errors: ENGINE,
  },
  restart: {
    summary: 'Restart',
    query: ONE_ENVIRONMENT,
    gives: 'The row.',
    errors: ENGINE,
  },
  upgrade: {
    summary: 'Replace it by one with the image and the settings of the Supervisor',
    query: ONE_ENVIRONMENT,
    gives: 'The row.',
    errors: ENGINE,
  },
  destroy: {
    summary: 'Stop and delete it; its database stays',
    query: {
      ...ONE_ENVIRONMENT,
      volume: '`keep` (default) or `drop`: whether its files go as well.',
      confirm: 'With `drop`, if apps have files nowhere else: the name of the environment.',
    },
    gives: 'The environment.',
    errors: [...ENGINE, 'VOLUME_NEEDED'],
  },
  logs: {
    summary: 'Last lines of its log',
    method: 'get',
    query: { ...ONE_ENVIRONMENT, lines: 'From 1 to 1000; 100 by default.' },
    gives: 'The lines.',
    errors: ENGINE,
  },
};
