import type { MovePreview } from '../../shared/move';
import type { DrainMode } from '../../shared/types';
import { key, type Message } from '../common/text';

const isStopped = ({ notes }: MovePreview): boolean => notes.some(({ code }) => code === 'MOVE_STAYS_STOPPED');
const isRefused = ({ refused }: MovePreview): boolean => refused !== null;

/** What the dialog of a drain says of a plan. */
export function drainOf(mode: DrainMode, apps: readonly MovePreview[]) {
  const moved = mode === 'stop' ? [] : apps.filter((app) => !isRefused(app));
  const running = apps.filter((app) => !isStopped(app));
  /** Visitors of the others would find nothing. */
  const cutOff = running.filter(({ servedIn }) => !servedIn.length);
  /** Running apps that cannot be moved, and that no other environment serves. */
  const left = cutOff.filter(isRefused);
  const served = running.filter((app) => isRefused(app) && app.servedIn.length > 0);
  const stopped = { move: served, moveOrStop: [...served, ...left], stop: running }[mode];
  return {
    left: left.length,
    cutOff: cutOff.length,
    onlyStops: moved.length === 0 && stopped.some(({ servedIn }) => !servedIn.length),
    agree: agreement(moved.length, stopped.length),
  };
}

function agreement(moved: number, stopped: number): Message {
  if (moved === 1) return { text: key('Move') };
  if (moved > 1) return { text: key('Move {{count}} apps'), values: { count: moved } };
  if (stopped === 1) return { text: key('Stop') };
  return stopped ? { text: key('Stop {{count}} apps'), values: { count: stopped } } : { text: key('Cordon only') };
}

/** The apps that are in no other environment than the one that is to be forgotten. */
export const strandedOf = (apps: readonly MovePreview[]): MovePreview[] => apps.filter(({ overlaps }) => !overlaps);
