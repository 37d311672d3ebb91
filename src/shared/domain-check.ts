import type { DomainReason, DomainState } from './words';

/** What is known of an app's own domain. No Node here: pages import this file. */

export interface DomainCheck {
  /** That was checked. */
  domain: string;
  state: DomainState;
  /** When it took this state, in ms since 1970. */
  since: number;
  /** Null for a domain that is verified. */
  reason: DomainReason | null;
}

interface WithDomain {
  cname: string | null;
  domainCheck?: DomainCheck | null;
}

const NEVER = { state: 'pending', since: null, reason: null } as const;

/** The state of an app's own domain; null if it has none. A check of another domain counts for nothing. */
export function domainStateOf({
  cname,
  domainCheck,
}: WithDomain): { state: DomainState; since: number | null; reason: DomainReason | null } | null {
  if (!cname) return null;
  return domainCheck?.domain === cname ? domainCheck : NEVER;
}

/** Whether links lead to the domain: it is verified, or nobody can verify it without the Supervisor's own address. */
export function leadsToDomain(app: WithDomain): boolean {
  const known = domainStateOf(app);
  return known !== null && (known.state === 'verified' || known.reason === 'noPublicUrl');
}
