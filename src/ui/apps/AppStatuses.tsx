import { Flex, Typography } from 'antd';
import type { AppRow } from '../../shared/types';
import { problemText } from '../common/errors';
import { useIsLocal } from '../common/Page';
import { Since } from '../common/Since';
import { STATUS } from '../common/status';
import { StateTag } from '../common/Tag';
import { useT } from '../host';
import { strayIn } from './actions';
import { DESIRED_LABELS } from './labels';

/** An app's status in each of its environments, sorted by name. */
export function AppStatuses({ app }: { app: AppRow }) {
  const strays = strayIn(app);
  return (
    <Flex vertical gap="small">
      {[...app.environments].sort().map((environment) => (
        <EnvironmentStatus
          key={environment}
          app={app}
          environment={environment}
          isStray={strays.includes(environment)}
        />
      ))}
    </Flex>
  );
}

function EnvironmentStatus({ app, environment, isStray }: { app: AppRow; environment: string; isStray: boolean }) {
  const t = useT();
  const isLocal = useIsLocal();
  const shown = app.statuses[environment] ?? { status: 'unknown', since: null };
  const { label, look } = STATUS[shown.status];
  return (
    <div>
      <Flex align="center" gap="small" wrap>
        {!isLocal && <span>{environment}</span>}
        <StateTag look={look} data-testid={`status-${app.name}-${environment}`} data-status={shown.status}>
          {t(label)}
        </StateTag>
        <Typography.Text type="secondary" style={{ fontSize: 'inherit' }}>
          <Since at={shown.since} />
        </Typography.Text>
      </Flex>
      {isStray && (
        <Typography.Text type="secondary">
          {t('Meant to be: {{state}}', { state: t(DESIRED_LABELS[app.desiredState]) })}
        </Typography.Text>
      )}
      {shown.error ? (
        <Detail text={problemText(t, shown.error)} role="alert" />
      ) : (
        shown.message && <Detail text={shown.message} />
      )}
    </div>
  );
}

function Detail({ text, role }: { text: string; role?: 'alert' }) {
  return (
    <Typography.Paragraph
      type={role ? undefined : 'secondary'}
      ellipsis={{ rows: 2, tooltip: text }}
      style={{ margin: 0, maxWidth: 360 }}
    >
      {text}
    </Typography.Paragraph>
  );
}
