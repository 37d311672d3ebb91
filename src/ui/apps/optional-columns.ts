import { key } from '../common/text';

/** Columns that the user can hide, by key; the others are always visible. */
export const OPTIONAL_COLUMNS: Record<string, { label: string; isShown: boolean }> = {
  operation: { label: key('Operation'), isShown: true },
  labels: { label: key('Labels'), isShown: true },
  cname: { label: key('Custom domain'), isShown: false },
  version: { label: key('Version'), isShown: false },
  lastVisitAt: { label: key('Last visit'), isShown: true },
  startMode: { label: key('Start mode'), isShown: false },
  sso: { label: key('Sign-in by the main app'), isShown: false },
  createdAt: { label: key('Created'), isShown: false },
};
