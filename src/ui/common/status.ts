import type { Health, OperationState, Status } from '../../shared/types';
import { key } from './text';

/** The visual style of a state; it determines the icon. */
export type Look = 'good' | 'busy' | 'asleep' | 'waiting' | 'off' | 'bad' | 'warning' | 'unknown';

interface Shown {
  label: string;
  look: Look;
}

export const STATUS: Record<Status, Shown> = {
  preparing: { label: key('Preparing'), look: 'busy' },
  initializing: { label: key('Initializing'), look: 'busy' },
  initialized: { label: key('Initialized'), look: 'busy' },
  running: { label: key('Running'), look: 'good' },
  commanding: { label: key('Running a command'), look: 'busy' },
  stopped: { label: key('Stopped'), look: 'off' },
  error: { label: key('Error'), look: 'bad' },
  not_found: { label: key('Not deployed'), look: 'off' },
  dormant: { label: key('Starts when visited'), look: 'asleep' },
  waiting: { label: key('Waiting'), look: 'waiting' },
  unknown: { label: key('Unknown'), look: 'unknown' },
};

export const HEALTH: Record<Health, Shown> = {
  online: { label: key('Online'), look: 'good' },
  suspect: { label: key('Late'), look: 'warning' },
  down: { label: key('Down'), look: 'bad' },
  stopping: { label: key('Stopping'), look: 'busy' },
  unknown: { label: key('Unknown'), look: 'unknown' },
};

export const OPERATION_STATE: Record<OperationState, Shown> = {
  queued: { label: key('Queued'), look: 'waiting' },
  running: { label: key('In progress'), look: 'busy' },
  succeeded: { label: key('Succeeded'), look: 'good' },
  failed: { label: key('Failed'), look: 'bad' },
  cancelled: { label: key('Cancelled'), look: 'off' },
};

export const inTransition = (status: Status): boolean => ['busy', 'waiting'].includes(STATUS[status].look);
export const isUnderway = (operation: { state: OperationState } | null): boolean =>
  operation?.state === 'queued' || operation?.state === 'running';
