import { useMemoizedFn } from 'ahooks';
import { startTransition, useEffect, useRef, useState } from 'react';
import { useHost, useSocketUp } from '../host';
import { type ApiError, apiError } from './errors';
import { createRefresher } from './refresher';

const CHANGES_SETTLE = 150;
const POLL_BUSY = 5_000;
const POLL_IDLE = 30_000;

export interface Live<T> {
  /** The newest answer, also while a newer request is pending or has failed. */
  data?: T;
  /** The error of the last attempt. */
  error?: ApiError;
  /** True until the first answer for the current question. */
  loading: boolean;
  refresh: () => Promise<void>;
}

/**
 * Data that is kept up to date: loaded again when the server reports a change, every 5 s while something is in
 * transition or the socket is down, otherwise every 30 s; not while the page is hidden.
 *
 * @param load answers the current question; `previous` is the last answer to it or to another question, and is returned
 * if nothing changed
 * @param question changes when another answer is needed
 */
export function useLive<T>(
  load: (previous: T | undefined) => Promise<T>,
  question: string,
  isBusy: (data: T) => boolean = () => false,
): Live<T> {
  const host = useHost();
  const socketUp = useSocketUp();
  const [answer, setAnswer] = useState<{ question?: string; data?: T; error?: ApiError }>({});
  const previous = useRef<T>();
  const ask = useMemoizedFn(load);
  const refresher = useRef<ReturnType<typeof createRefresher>>();

  useEffect(() => {
    let isCurrent = true;
    const current = createRefresher(async () => {
      try {
        const data = await ask(previous.current);
        if (!isCurrent) return;
        host.socket.revive();
        previous.current = data;
        startTransition(() =>
          setAnswer((before) =>
            before.question === question && before.data === data && !before.error ? before : { question, data },
          ),
        );
      } catch (error) {
        if (isCurrent) setAnswer({ question, data: previous.current, error: apiError(error) });
      }
    }, CHANGES_SETTLE);
    refresher.current = current;
    void current.run();
    // A page that is hidden loads when it is seen again.
    const unsubscribe = host.onChange(() => {
      if (!document.hidden) current.soon();
    });
    return () => {
      isCurrent = false;
      current.stop();
      unsubscribe();
    };
  }, [question, ask, host]);

  const busy = !socketUp || (answer.data !== undefined && isBusy(answer.data));
  useEffect(() => {
    const ifSeen = () => {
      if (!document.hidden) void refresher.current?.run();
    };
    const timer = setInterval(ifSeen, busy ? POLL_BUSY : POLL_IDLE);
    document.addEventListener('visibilitychange', ifSeen);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', ifSeen);
    };
  }, [busy]);

  return {
    data: answer.data,
    error: answer.error,
    loading: answer.question !== question,
    refresh: useMemoizedFn(async () => refresher.current?.run()),
  };
}
