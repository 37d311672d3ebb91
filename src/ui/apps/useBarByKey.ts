import { useMemoizedFn } from 'ahooks';
import { type RefObject, useEffect, useRef } from 'react';
import { isDialogOpen } from '../common/dialogs';

/** As systems use it: to the next part of a window. */
const KEY = 'F6';

/** F6 leads from the list to the bar, which Tab reaches behind all rows, and back to where it came from. */
export function useBarByKey(bar: RefObject<HTMLElement>): void {
  const before = useRef<Element | null>(null);
  const onKey = useMemoizedFn((event: KeyboardEvent) => {
    if (event.key !== KEY || event.ctrlKey || event.metaKey || event.altKey || isDialogOpen()) return;
    event.preventDefault();
    const { activeElement } = document;
    const isInside = bar.current?.contains(activeElement);
    if (!isInside) before.current = activeElement;
    const next = isInside ? before.current : bar.current?.querySelector('button');
    if (next instanceof HTMLElement && next.isConnected) next.focus();
  });
  useEffect(() => {
    window.addEventListener('keydown', onKey);
    return () => window.removeEventListener('keydown', onKey);
  }, [onKey]);
}
