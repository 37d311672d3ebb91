import type { Attention } from '../../../shared/summary';
import type { Status } from '../../../shared/types';

export interface AttentionApp {
  name: string;
  title: string;
  statuses: Status[];
  /** NocoBase version of its data; null if it is not known. */
  version: string | null;
  /** NocoBase versions of its environments. */
  environmentVersions: string[];
  /** It has a domain of its own that is not verified. */
  isDomainUnverified: boolean;
  /** When it was last used, or last began to run, in ms since 1970; null if it is not known. */
  lastUsedAt: number | null;
}

/** An app that nobody has visited for longer is idle, in ms. */
const IDLE = 30 * 24 * 3_600_000;
/** Most apps that are named. */
const MOST = 5;

/**
 * What will need somebody sooner or later.
 * @param red number of red rows of the security checklist
 * @param now ms since 1970
 */
export function attentionOf(apps: readonly AttentionApp[], red: number, now: number): Attention[] {
  const isIdle = ({ statuses, lastUsedAt }: AttentionApp) =>
    statuses.includes('running') && lastUsedAt !== null && now - lastUsedAt > IDLE;
  const isOutdated = ({ version, environmentVersions }: AttentionApp) =>
    version !== null && environmentVersions.some((other) => other !== '' && other !== version);
  const about = (kind: Attention['kind'], found: readonly AttentionApp[]): Attention => ({
    kind,
    count: found.length,
    apps: found.slice(0, MOST).map(({ name, title }) => ({ name, title })),
  });
  return [
    about(
      'failed',
      apps.filter(({ statuses }) => statuses.includes('error')),
    ),
    about('outdated', apps.filter(isOutdated)),
    about(
      'domain',
      apps.filter(({ isDomainUnverified }) => isDomainUnverified),
    ),
    about('idle', apps.filter(isIdle)),
    { kind: 'security' as const, count: red, apps: [] },
  ].filter(({ count }) => count > 0);
}
