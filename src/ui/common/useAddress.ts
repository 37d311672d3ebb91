import { useMemoizedFn } from 'ahooks';
import { useSearchParams } from 'react-router-dom';

type Change = (now: URLSearchParams) => URLSearchParams;

/** These parameters, and all others as they are. */
export const adding =
  (values: Record<string, string>): Change =>
  (now) =>
    new URLSearchParams({ ...Object.fromEntries(now), ...values });

/**
 * The parameters of the page's address, and two ways to change them that stay the same: `replace`, and `open`, from which the browser's
 * Back returns. Both change what the address is at that moment: of two changes at once none is lost, as it would be with what the
 * page showed last.
 */
export function useAddress(): { params: URLSearchParams; replace(change: Change): void; open(change: Change): void } {
  const [params, setParams] = useSearchParams();
  const now = () => new URLSearchParams(window.location.search);
  const replace = useMemoizedFn((change: Change) => setParams(change(now()), { replace: true }));
  const open = useMemoizedFn((change: Change) => setParams(change(now())));
  return { params, replace, open };
}
