import type { SsoUser } from '../../../shared/messages';
import type { SsoRefusal, SsoSettings } from '../../../shared/sso';
import { isVisible, type Visibility } from '../../../shared/visibility';

/** Whether the main app vouches for a user, as pure functions. */

/** A user of the main app, as NocoBase's ACL has read it for the request. */
export interface MainUser {
  id: string;
  username: string | null;
  email: string | null;
  nickname: string | null;
  /** Names of all roles, whichever is in use. */
  roles: string[];
}

const ROOT = 'root';

/** @returns what the app may learn of the user, or why he is not let in */
export function vouchFor(user: MainUser, settings: SsoSettings, visibility: Visibility): SsoUser | SsoRefusal {
  if (!settings.enabled) return 'SSO_OFF';
  if (!isVisible(visibility, user.roles)) return 'SSO_NOT_FOR_YOU';
  const { id, username, email, nickname, roles } = user;
  const isRoot = roles.includes(ROOT);
  const isMeant = !settings.signupFor.length || isRoot || roles.some((role) => settings.signupFor.includes(role));
  return { id, username, email, nickname, isRoot, maySignUp: settings.autoSignup && isMeant };
}
