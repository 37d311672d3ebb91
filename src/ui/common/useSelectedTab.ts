import { useMemoizedFn } from 'ahooks';
import { useEffect } from 'react';

/** The tab of the page that is shown, in either client. */
const SELECTED = '.ant-page-header .ant-menu-item-selected';

/**
 * NocoBase does nothing when the tab of the page that is shown is pressed: from the page of one app or environment it leads back to the
 * list.
 * @param isInside whether such a page is open
 */
export function useSelectedTab(isInside: boolean, leave: () => void): void {
  const onPress = useMemoizedFn((event: Event) => {
    if (event instanceof KeyboardEvent && event.key !== 'Enter') return;
    if (event.target instanceof Element && event.target.closest(SELECTED)) leave();
  });
  useEffect(() => {
    if (!isInside) return;
    document.addEventListener('click', onPress);
    document.addEventListener('keydown', onPress);
    return () => {
      document.removeEventListener('click', onPress);
      document.removeEventListener('keydown', onPress);
    };
  }, [isInside, onPress]);
}
