import { useSyncExternalStore } from 'react';
import { useHost } from '../host';
import { exactTime, relativeTime } from './time';

const TICK = 10_000;
const listeners = new Set<() => void>();
let ticks = 0;
let timer: ReturnType<typeof setInterval> | undefined;

function subscribe(listener: () => void) {
  listeners.add(listener);
  timer ??= setInterval(() => {
    ticks += 1;
    for (const each of listeners) each();
  }, TICK);
  return () => {
    listeners.delete(listener);
    if (!listeners.size) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** Elapsed time, updated continuously; the exact time on hover. */
export function Since({ at }: { at: number | null }) {
  const { language } = useHost();
  useSyncExternalStore(subscribe, () => ticks);
  if (at === null) {
    return <>–</>;
  }
  return (
    <time dateTime={new Date(at).toISOString()} title={exactTime(at, language)}>
      {relativeTime(at, Date.now(), language)}
    </time>
  );
}
