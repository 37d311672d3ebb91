import type { ContainerStatus } from '../../shared/container';
import type { Health, OperationState, Status } from '../../shared/types';
import { NO_ENVIRONMENT } from '../../shared/words';
import { key } from './text';

/** The visual style of a state; it determines the icon. */
export type Tone = 'good' | 'busy' | 'asleep' | 'waiting' | 'off' | 'bad' | 'warning' | 'unknown';

interface Shown {
  label: string;
  tone: Tone;
  /** What it means, where the label does not say so. */
  help?: string;
}

export const STATUS: Record<Status, Shown> = {
  preparing: { label: key('Preparing'), tone: 'busy' },
  initializing: { label: key('Initializing'), tone: 'busy' },
  initialized: { label: key('Initialized'), tone: 'busy' },
  running: { label: key('Running'), tone: 'good' },
  commanding: { label: key('Running a command'), tone: 'busy' },
  stopped: { label: key('Stopped'), tone: 'off' },
  error: { label: key('Error'), tone: 'bad' },
  not_found: { label: key('Not deployed'), tone: 'off' },
  dormant: { label: key('Starts when visited'), tone: 'asleep' },
  waiting: { label: key('Waiting'), tone: 'waiting' },
  unknown: { label: key('Unknown'), tone: 'unknown' },
};

/** Also of an app that has no environment. */
export const shownOf = (status: Status | typeof NO_ENVIRONMENT): Shown =>
  status === NO_ENVIRONMENT ? { label: key('No environment'), tone: 'bad' } : STATUS[status];

export const HEALTH: Record<Health, Shown> = {
  online: { label: key('Online'), tone: 'good' },
  suspect: {
    label: key('Late'),
    tone: 'warning',
    help: key('Its Worker has not announced itself in time. If it goes on, the environment counts as down.'),
  },
  down: { label: key('Down'), tone: 'bad' },
  stopping: { label: key('Stopping'), tone: 'busy' },
  unknown: {
    label: key('Unknown'),
    tone: 'unknown',
    help: key('Nothing is known of it now: the Supervisor does not see what its Worker announces.'),
  },
};

export const CONTAINER: Record<ContainerStatus, Shown> = {
  starting: { label: key('Starting'), tone: 'busy' },
  running: { label: key('Running'), tone: 'good' },
  unhealthy: { label: key('Does not answer'), tone: 'warning' },
  restarting: { label: key('Restarts after a crash'), tone: 'bad' },
  died: { label: key('Ended by itself'), tone: 'bad' },
  stopped: { label: key('Stopped'), tone: 'off' },
};

export const OPERATION_STATE: Record<OperationState, Shown> = {
  queued: { label: key('Queued'), tone: 'waiting' },
  running: { label: key('In progress'), tone: 'busy' },
  succeeded: { label: key('Succeeded'), tone: 'good' },
  failed: { label: key('Failed'), tone: 'bad' },
  cancelled: { label: key('Cancelled'), tone: 'off' },
};

export const inTransition = (status: Status): boolean => ['busy', 'waiting'].includes(STATUS[status].tone);
export const isUnderway = (operation: { state: OperationState } | null): boolean =>
  operation?.state === 'queued' || operation?.state === 'running';
