import type { AppRow } from './app';

/** Who sees an app: its settings. */
export type Visibility = Pick<AppRow, 'visibleTo' | 'visibleRoles'>;

/** NocoBase's role with every permission: it counts as each role that an app names. */
const ROOT = 'root';

/**
 * Whether a signed-in user sees an app in switchers, blocks and portals, and may be signed in there by App SSO. The
 * app's own address and its own sign-in page do not depend on it.
 *
 * @param roles all roles of the user in the fleet's main app, whichever is in use; null if they are not known, as in
 * apps and on Workers, whose users are not those of the main app
 */
export function isVisible({ visibleTo, visibleRoles }: Visibility, roles: readonly string[] | null): boolean {
  if (visibleTo !== 'roles') return visibleTo === 'everybody';
  if (roles === null || !visibleRoles.length) return false;
  return roles.some((role) => role === ROOT || visibleRoles.includes(role));
}
