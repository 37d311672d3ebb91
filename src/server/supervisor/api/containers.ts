import type { ContainerAction } from '../../../shared/container';
import type { ErrorCode } from '../../errors';
import { containerLogsInput, makeInput, removeInput } from '../containers/container-input';
import { parseInput } from '../definitions/input';
import { action } from './action';

const ONE_ENVIRONMENT = { filterByTk: 'Name of the environment.' };
const ENGINE: ErrorCode[] = ['ENGINE_OFF', 'ENGINE_FAILED', 'UNKNOWN_CONTAINER'];

const act = (what: Exclude<ContainerAction, 'destroy'>, summary: string) =>
  action({
    summary,
    query: ONE_ENVIRONMENT,
    gives: 'The row.',
    errors: ENGINE,
    work: async ({ parts, name, userId }) => ({ data: await parts.containers.act(what, name, userId) }),
  });

export const CONTAINERS = {
  list: action({
    summary: 'Containers of Workers that the Supervisor has made in its engine',
    reads: 'get',
    gives:
      '`[{environment, name, image, isOutdated, status, since, cause, lastLines, restarts, memory, cpus}]`; `cause` and `lastLines` are those of its end.',
    errors: ['ENGINE_OFF', 'ENGINE_FAILED'],
    work: async ({ parts }) => ({ data: await parts.containers.list() }),
  }),
  create: action({
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
    work: async ({ parts, input, userId }) => ({ data: await parts.containers.create(input, userId) }),
  }),
  start: act('start', 'Start'),
  stop: act('stop', 'Stop; NocoBase has 60 s to end'),
  restart: act('restart', 'Restart'),
  upgrade: act('upgrade', 'Replace it by one with the image and the settings of the Supervisor'),
  destroy: action({
    summary: 'Stop and delete it; its database stays',
    query: {
      ...ONE_ENVIRONMENT,
      volume: '`keep` (default) or `drop`: whether its files go as well.',
      confirm: 'With `drop`, if apps have files nowhere else: the name of the environment.',
    },
    gives: 'The environment.',
    errors: [...ENGINE, 'VOLUME_NEEDED'],
    async work({ parts, name, params: { volume, confirm }, userId }) {
      await parts.containers.destroy(name, userId, parseInput(removeInput, { volume, confirm }));
      return { data: { environment: name } };
    },
  }),
  logs: action({
    summary: 'Last lines of its log',
    reads: 'get',
    query: { ...ONE_ENVIRONMENT, lines: 'From 1 to 1000; 100 by default.' },
    gives: 'The lines.',
    errors: ENGINE,
    async work({ parts, name, params }) {
      const { lines } = parseInput(containerLogsInput, { lines: params.lines });
      return { data: await parts.containers.logs(name, lines) };
    },
  }),
};
