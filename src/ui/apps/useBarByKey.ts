import { type RefObject, useRef } from 'react';
import { isDialogOpen } from '../common/dialogs';
import { asksForNextPart } from '../common/keys';
import { useKeys } from '../common/useKeys';

/** F6 leads from the list to the bar, which Tab reaches behind all rows, and back to where it came from. */
export function useBarByKey(bar: RefObject<HTMLElement>): void {
  const before = useRef<Element | null>(null);
  useKeys((event) => {
    if (!asksForNextPart(event) || isDialogOpen()) return;
    event.preventDefault();
    const { activeElement } = document;
    const isInside = bar.current?.contains(activeElement);
    if (!isInside) before.current = activeElement;
    const next = isInside ? before.current : bar.current?.querySelector('button');
    if (next instanceof HTMLElement && next.isConnected) next.focus();
  });
}
