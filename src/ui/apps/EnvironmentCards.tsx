import { Card, Flex, theme } from 'antd';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { EnvironmentLink } from '../common/EnvironmentLink';
import { messageText } from '../common/errors';
import { useIsLocal } from '../common/Page';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { HEALTH, STATUS } from '../common/status';
import { StateTag } from '../common/Tag';
import { useT } from '../host';
import { environmentForVisitors, unexpectedEnvironments } from './actions';
import { InstallingBar } from './InstallingBar';
import { installingOf } from './installing';
import { DESIRED_LABELS } from './labels';
import { RemedyButtons } from './RemedyButtons';
import { remediesOf } from './remedies';
import type { AppHandler } from './useAppDialogs';

interface Props {
  app: AppRow;
  /** Null if the user has no permission to see them. */
  environments: EnvironmentRow[] | null;
  handle: AppHandler;
}

/** A card for each environment of the app, or one that says that it has none. */
export function EnvironmentCards({ app, environments, handle }: Props) {
  const t = useT();
  const { token } = theme.useToken();
  const isLocal = useIsLocal();
  const serving = environments && environmentForVisitors(app, environments);
  return (
    <div
      style={{
        display: 'grid',
        gap: token.padding,
        gridTemplateColumns: 'repeat(auto-fit, minmax(min(100%, 300px), 1fr))',
      }}
    >
      {!app.environments.length && (
        <Card size="small">
          <Flex gap="small" wrap align="center" justify="space-between">
            <StateTag tone="bad" data-testid={`homeless-${app.name}`}>
              {t('No environment')}
            </StateTag>
            {!isLocal && <RemedyButtons app={app} remedies={['assign']} handle={handle} />}
          </Flex>
        </Card>
      )}
      {Object.keys(app.statuses).map((name) => (
        <EnvironmentCard
          key={name}
          app={app}
          name={name}
          isServing={name === serving}
          environment={environments?.find((each) => each.name === name)}
          handle={handle}
        />
      ))}
    </div>
  );
}

interface OneProps {
  app: AppRow;
  name: string;
  /** Whether new visitors are sent here. */
  isServing: boolean;
  environment?: EnvironmentRow;
  handle: AppHandler;
}

function EnvironmentCard({ app, name, isServing, environment, handle }: OneProps) {
  const t = useT();
  const isLocal = useIsLocal();
  const { token } = theme.useToken();
  const { status, since, error, message } = app.statuses[name];
  const installing = installingOf(app.statuses[name]);
  const { label, tone } = STATUS[status];
  const isSick = environment && environment.health !== 'online' && environment.health !== 'stopping';
  const notes = [
    isServing && app.environments.length > 1 && t('New visitors are sent here'),
    environment?.cordoned && t('Cordoned'),
    environment && !environment.serves && t('Serves no visitors'),
    !app.environments.includes(name) && t('Removal pending'),
    unexpectedEnvironments(app).includes(name) &&
      t('Expected: {{state}}', { state: t(DESIRED_LABELS[app.desiredState]) }),
    environment?.appVersion && `NocoBase ${environment.appVersion}`,
    environment?.appVersion &&
      app.version &&
      app.version !== environment.appVersion &&
      t('data of {{version}}', { version: app.version }),
  ].filter((note) => typeof note === 'string' && note);
  return (
    <Card
      size="small"
      data-testid={`environment-card-${name}`}
      style={error ? { borderColor: token.colorErrorBorder } : undefined}
    >
      <Flex vertical gap="small">
        <Flex gap="small" wrap align="center">
          {!isLocal && (
            <strong style={{ overflowWrap: 'anywhere' }}>
              <EnvironmentLink name={name} />
            </strong>
          )}
          <StateTag tone={tone} data-testid={`status-${app.name}-${name}`} data-status={status}>
            {installing ? t('Installing') : t(label)}
          </StateTag>
          <Secondary>
            <Since at={since} />
          </Secondary>
        </Flex>
        {isSick && (
          <div>
            <StateTag tone={HEALTH[environment.health].tone}>
              {t('Environment: {{health}}', { health: t(HEALTH[environment.health].label) })}
            </StateTag>
          </div>
        )}
        {error ? (
          <>
            <div style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere' }} data-testid={`error-${app.name}-${name}`}>
              {messageText(t, error)}
            </div>
            <RemedyButtons app={app} environment={name} remedies={remediesOf(error, app, isLocal)} handle={handle} />
          </>
        ) : (
          message && (
            <div data-testid={`progress-${app.name}-${name}`}>
              {installing ? <InstallingBar {...installing} /> : <Secondary>{messageText(t, message)}</Secondary>}
            </div>
          )
        )}
        {notes.length > 0 && <Secondary>{notes.join(' · ')}</Secondary>}
      </Flex>
    </Card>
  );
}
