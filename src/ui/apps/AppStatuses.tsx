import { type CSSProperties, memo } from 'react';
import type { AppRow } from '../../shared/types';
import { EnvironmentLink } from '../common/EnvironmentLink';
import { messageText } from '../common/errors';
import { useIsLocal } from '../common/Page';
import { RowButton } from '../common/RowButton';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { isUnderway, STATUS } from '../common/status';
import { StateTag } from '../common/Tag';
import { useT } from '../host';
import { unexpectedEnvironments } from './actions';
import { InstallingBar } from './InstallingBar';
import { installingOf } from './installing';
import { DESIRED_LABELS } from './labels';
import type { RowHandler } from './RowActions';

interface Props {
  app: AppRow;
  handle: RowHandler;
}

/** An app's status in each environment, in the order of the answer, with what can be done at once. */
export const AppStatuses = memo(function AppStatuses({ app, handle }: Props) {
  const unexpected = unexpectedEnvironments(app);
  return (
    <div style={{ display: 'flex', flexDirection: 'column', gap: 8 }}>
      {!app.environments.length && <NoEnvironment app={app} handle={handle} />}
      {app.home !== null && <Away app={app} home={app.home} />}
      {Object.keys(app.statuses).map((environment) => (
        <EnvironmentStatus
          key={environment}
          app={app}
          handle={handle}
          environment={environment}
          isStray={unexpected.includes(environment)}
        />
      ))}
    </div>
  );
});

/** A failover has moved it. */
function Away({ app, home }: { app: AppRow; home: string }) {
  const t = useT();
  return (
    <div>
      <StateTag tone="warning" data-testid={`away-${app.name}`}>
        {t('Away from {{environment}}', { environment: home })}
      </StateTag>
    </div>
  );
}

function NoEnvironment({ app, handle }: Props) {
  const t = useT();
  return (
    <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8, alignItems: 'center' }}>
      <StateTag tone="bad" data-testid={`homeless-${app.name}`}>
        {t('No environment')}
      </StateTag>
      <RowButton
        onClick={() => handle('move', app)}
        aria-label={`${t('Assign')} ${app.title}`}
        data-testid={`app-assign-${app.name}`}
      >
        {t('Assign')}
      </RowButton>
    </div>
  );
}

interface EnvironmentProps extends Props {
  environment: string;
  isStray: boolean;
}

function EnvironmentStatus({ app, handle, environment, isStray }: EnvironmentProps) {
  const t = useT();
  const isLocal = useIsLocal();
  const shown = app.statuses[environment];
  const { label, tone: look } = STATUS[shown.status];
  const installing = installingOf(shown);
  return (
    <div>
      <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8, alignItems: 'center' }}>
        {!isLocal && <EnvironmentLink name={environment} />}
        <StateTag tone={look} data-testid={`status-${app.name}-${environment}`} data-status={shown.status}>
          {installing ? t('Installing') : t(label)}
        </StateTag>
        <Secondary>
          <Since at={shown.since} />
        </Secondary>
        {shown.error && !isUnderway(app.operation) && (
          <RowButton
            onClick={() => handle('retry', app)}
            aria-label={`${t('Retry')} ${app.title}`}
            data-testid={`app-retry-${app.name}`}
          >
            {t('Retry')}
          </RowButton>
        )}
      </div>
      {!app.environments.includes(environment) && <Secondary>{t('Removal pending')}</Secondary>}
      {isStray && <Secondary>{t('Expected: {{state}}', { state: t(DESIRED_LABELS[app.desiredState]) })}</Secondary>}
      {shown.error ? (
        <Detail text={messageText(t, shown.error)} />
      ) : installing ? (
        <InstallingBar {...installing} />
      ) : (
        shown.message && (
          <Secondary>
            <Detail text={messageText(t, shown.message)} />
          </Secondary>
        )
      )}
    </div>
  );
}

/** Limited with CSS only: measuring text in every row makes a table slow. */
const TWO_LINES: CSSProperties = {
  display: '-webkit-box',
  WebkitBoxOrient: 'vertical',
  WebkitLineClamp: 2,
  overflow: 'hidden',
};

function Detail({ text }: { text: string }) {
  return (
    <div style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', ...TWO_LINES }} title={text}>
      {text}
    </div>
  );
}
