import { httpAddress } from '../../../shared/http-address';

/** Where the Supervisor reaches a Worker. */
export interface ProxyAddress {
  /** Empty: nowhere. */
  address: string;
  /** What its Worker reports and nobody has confirmed; null: nothing. */
  unconfirmed: string | null;
}

/**
 * Whether an environment belongs to the fleet: somebody else than its Worker has named it, with an address. Nothing is published for one that
 * does not, and what it reports decides nothing.
 */
export const isAdmitted = ({ address }: Pick<ProxyAddress, 'address'>): boolean => address !== '';

/**
 * A Worker says at which address it is reached, and visitors with their sessions are sent there: to whatever it names in the network of the
 * Supervisor. So an address that it reports counts once somebody else has named it, too. Until then the former one holds. In shared memory
 * there is none.
 *
 * @param confirmed what variables of the Supervisor, whoever added the environment, or an operator have named; the first one is used as
 * long as another one is reported
 */
export function proxyAddressOf(reported: string, confirmed: readonly string[]): ProxyAddress {
  const known = confirmed.flatMap((each) => httpAddress(each) ?? []);
  const own = httpAddress(reported);
  if (own !== null && known.includes(own)) return { address: own, unconfirmed: null };
  return { address: known[0] ?? '', unconfirmed: reported ? (own ?? reported) : null };
}
