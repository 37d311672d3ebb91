import { Card, Flex } from 'antd';
import type { Attention } from '../../shared/summary';
import { PATHS } from '../common/paths';
import { Secondary } from '../common/Secondary';
import { StateIcon } from '../common/Tag';
import { TextLink } from '../common/TextLink';
import { key } from '../common/text';
import { useT } from '../host';
import { isRed } from './remedies';

const LABELS: Record<Attention['kind'], string> = {
  failed: key('Apps in error: {{count}}'),
  outdated: key('Data of another NocoBase version than the environment: {{count}}'),
  domain: key('Custom domains that are not verified: {{count}}'),
  idle: key('Running, and not visited for 30 days: {{count}}'),
  security: key('Unsafe items in the security checklist: {{count}}'),
};

/** What will need somebody sooner or later. */
export function AttentionList({ attention }: { attention: Attention[] }) {
  const t = useT();
  return (
    <Card size="small" title={t('Needs attention')} data-testid="attention">
      <Flex vertical gap="small">
        {attention.map(({ kind, count, apps }) => (
          <div key={kind} data-testid={`attention-${kind}`}>
            <Flex gap="small">
              <StateIcon tone={isRed({ kind }) ? 'bad' : 'warning'} />
              {kind === 'security' ? (
                <TextLink to={PATHS.security}>{t(LABELS[kind], { count })}</TextLink>
              ) : (
                t(LABELS[kind], { count })
              )}
            </Flex>
            <Flex gap="0 12px" wrap style={{ paddingInlineStart: 22 }}>
              {apps.map(({ name, title }) => (
                <TextLink key={name} to={`${PATHS.apps}?${new URLSearchParams({ app: name })}`}>
                  {title}
                </TextLink>
              ))}
              {count > apps.length && apps.length > 0 && (
                <Secondary>{t('and {{count}} more', { count: count - apps.length })}</Secondary>
              )}
            </Flex>
          </div>
        ))}
        {!attention.length && (
          <Flex gap="small">
            <StateIcon tone="good" />
            {t('Nothing')}
          </Flex>
        )}
      </Flex>
    </Card>
  );
}
