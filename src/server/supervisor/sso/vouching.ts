import type { SsoUser } from '../../../shared/messages';
import { type SsoRefusal, type SsoSettings, subjectOf } from '../../../shared/sso';
import { isVisible, type Visibility } from '../../../shared/visibility';

/** Whether the main app vouches for a user, as pure functions. */

/** A user of the main app, as NocoBase's ACL has read it for the request. */
export interface MainUser {
  id: string;
  /** When he was created, in s since 1970; 0: not known. */
  since: number;
  username: string | null;
  email: string | null;
  nickname: string | null;
  /** Names of all roles, whichever is in use. */
  roles: string[];
}

const ROOT = 'root';

/** How long whoever creates an app may enter it as its first administrator, in ms. */
export const FIRST_ENTRY = 15 * 60_000;

/** Who has requested that an app is created, and when, in ms since 1970. */
export interface Creation {
  by: string | null;
  at: number;
}

/** As `vouchFor`, for the first administrator of an app. The app lets nobody in once he has signed in. */
export function vouchForCreator(
  { id, since, username, email, nickname }: MainUser,
  fleet: string,
  creation: Creation | null,
  now: number,
): SsoUser | SsoRefusal {
  if (creation?.by !== id) return 'SSO_OFF';
  if (now - creation.at > FIRST_ENTRY) return 'SSO_EXPIRED';
  return { id: subjectOf(fleet, id), since, username, email, nickname, isRoot: false, maySignUp: false };
}

/**
 * @param fleet id of the fleet
 * @returns what the app may learn of the user, or why he is not let in
 */
export function vouchFor(
  user: MainUser,
  fleet: string,
  settings: SsoSettings,
  visibility: Visibility,
): SsoUser | SsoRefusal {
  if (!settings.enabled) return 'SSO_OFF';
  if (!isVisible(visibility, user.roles)) return 'SSO_NOT_FOR_YOU';
  const { id, since, username, email, nickname, roles } = user;
  const isRoot = roles.includes(ROOT);
  const isMeant = !settings.signupFor.length || isRoot || roles.some((role) => settings.signupFor.includes(role));
  const maySignUp = settings.autoSignup && isMeant;
  return { id: subjectOf(fleet, id), since, username, email, nickname, isRoot, maySignUp };
}
