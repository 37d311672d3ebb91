import { useEffect, useState } from 'react';

/**
 * Gives the focus back to what had it when this appeared, once it is gone. antd does so only for what is hidden and
 * stays.
 */
export function useFocusReturn(): void {
  const [first] = useState(() => document.activeElement);
  useEffect(() => {
    // What had it may have been in a dialog that is gone by now, and has given it back.
    const before = first?.isConnected ? first : document.activeElement;
    return () => {
      if (document.activeElement === document.body && before instanceof HTMLElement) before.focus();
    };
  }, [first]);
}
