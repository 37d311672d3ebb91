import { useMemoizedFn } from 'ahooks';
import { useEffect, useState } from 'react';
import { isDialogOpen } from './dialogs';

/** Calls `onKey` for each key that is pressed, wherever the focus is. */
export function useKeys(onKey: (event: KeyboardEvent) => void): void {
  const listener = useMemoizedFn(onKey);
  useEffect(() => {
    window.addEventListener('keydown', listener);
    return () => window.removeEventListener('keydown', listener);
  }, [listener]);
}

/**
 * Whether a dialog is open that a key opens, unless another dialog is open, and Escape closes.
 * @param isAsked whether this key asks for it
 */
export function useOpenByKey(isAsked: (event: KeyboardEvent) => boolean) {
  const [isOpen, setOpen] = useState(false);
  useKeys((event) => {
    // Also before the dialog has the focus.
    if (event.key === 'Escape') setOpen(false);
    if (!isAsked(event) || isDialogOpen()) return;
    // What the browser itself does with the key.
    event.preventDefault();
    setOpen(true);
  });
  return [isOpen, setOpen] as const;
}
