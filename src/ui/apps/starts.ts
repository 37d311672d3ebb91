import type { OperationRow } from '../../shared/types';

const STARTING: OperationRow['action'][] = ['create', 'adopt', 'start', 'restart', 'upgrade', 'renewSecrets'];

/**
 * How long an app took to start, in ms, oldest first: each time that an operation has started it in an environment.
 * @param operations newest first
 */
export const startTimes = (operations: readonly OperationRow[]): number[] =>
  operations
    .filter(({ action }) => STARTING.includes(action))
    .flatMap(({ progress }) => progress)
    .flatMap(({ state, startedAt, finishedAt }) =>
      state === 'succeeded' && startedAt !== undefined && finishedAt !== undefined
        ? [{ at: finishedAt, took: finishedAt - startedAt }]
        : [],
    )
    .sort((one, other) => one.at - other.at)
    .map(({ took }) => took);
