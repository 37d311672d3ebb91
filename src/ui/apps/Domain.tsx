import { Flex, Tooltip, Typography } from 'antd';
import { domainStateOf, leadsToDomain } from '../../shared/domain-check';
import type { AppRow } from '../../shared/types';
import type { DomainReason, DomainState } from '../../shared/words';
import { entryHref } from '../common/entryHref';
import { Secondary } from '../common/Secondary';
import type { Tone } from '../common/status';
import { StateIcon } from '../common/Tag';
import { key } from '../common/text';
import { TARGET } from '../common/theme';
import { type Translate, useT } from '../host';

const STATES: Record<DomainState, { label: string; tone: Tone }> = {
  pending: { label: key('Not verified yet'), tone: 'waiting' },
  verified: { label: key('Verified'), tone: 'good' },
  failed: { label: key('Does not lead here'), tone: 'warning' },
};

const REASONS: Record<DomainReason, string> = {
  noPublicUrl: key(
    'Set APP_SUPERVISOR_PUBLIC_URL: without it the Supervisor does not know scheme and port, and checks nothing.',
  ),
  unresolved: key('The name has no address. Add it to the DNS.'),
  unreachable: key('Nothing answers there. Check its address, and firewalls between.'),
  tls: key('HTTPS fails there. Check the certificate of the domain.'),
  elsewhere: key('Something else answers there, or the reverse proxy does not pass on the host.'),
};

/** A finger reaches the explanation, too. */
const SEEN = {
  display: 'inline-flex',
  justifyContent: 'center',
  alignItems: 'center',
  minWidth: TARGET,
  minHeight: TARGET,
};

/** What the Supervisor knows of the custom domain of an app, in words, with what to do. */
export function domainText(t: Translate, app: AppRow): string | null {
  const known = domainStateOf(app);
  if (!known) return null;
  const what = t(STATES[known.state].label);
  return known.reason ? t('{{what}}: {{text}}', { what, text: t(REASONS[known.reason]) }) : what;
}

/** The custom domain of an app, with what the Supervisor knows of it. Only one that works is a link. */
export function Domain({ app }: { app: AppRow }) {
  const t = useT();
  const known = domainStateOf(app);
  if (!known) return null;
  const { tone } = STATES[known.state];
  const text = domainText(t, app) ?? '';
  return (
    <Flex gap="small" align="center" data-testid={`domain-${app.name}`} data-state={known.state}>
      <Tooltip title={text}>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard reaches the explanation */}
        <span tabIndex={0} role="img" aria-label={text} style={SEEN}>
          <StateIcon tone={tone} />
        </span>
      </Tooltip>
      {leadsToDomain(app) ? (
        <Typography.Link href={entryHref(`//${app.cname}/`)} target="_blank">
          {app.cname}
        </Typography.Link>
      ) : (
        <Secondary>{app.cname}</Secondary>
      )}
    </Flex>
  );
}
