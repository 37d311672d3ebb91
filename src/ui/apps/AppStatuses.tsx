import { type CSSProperties, memo } from 'react';
import type { AppRow } from '../../shared/types';
import { messageText } from '../common/errors';
import { useIsLocal } from '../common/Page';
import { RowButton } from '../common/RowButton';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { STATUS } from '../common/status';
import { StateTag } from '../common/Tag';
import { useT } from '../host';
import { unexpectedEnvironments } from './actions';
import { DESIRED_LABELS } from './labels';

/** An app's status in each environment, in the order of the answer. `isBrief` limits the explanation to two lines. */
export const AppStatuses = memo(function AppStatuses({
  app,
  assign,
  isBrief = false,
}: {
  app: AppRow;
  /** Asks for an environment, for an app that has none. */
  assign: (app: AppRow) => void;
  isBrief?: boolean;
}) {
  const unexpected = unexpectedEnvironments(app);
  return (
    <div style={{ display: 'flex', flexDirection: 'column', gap: 8 }}>
      {!app.environments.length && <NoEnvironment app={app} assign={assign} />}
      {Object.keys(app.statuses).map((environment) => (
        <EnvironmentStatus
          key={environment}
          app={app}
          isBrief={isBrief}
          environment={environment}
          isStray={unexpected.includes(environment)}
        />
      ))}
    </div>
  );
});

function NoEnvironment({ app, assign }: { app: AppRow; assign: (app: AppRow) => void }) {
  const t = useT();
  return (
    <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8, alignItems: 'center' }}>
      <StateTag tone="bad" data-testid={`homeless-${app.name}`}>
        {t('No environment')}
      </StateTag>
      <RowButton
        onClick={() => assign(app)}
        aria-label={`${t('Assign')} ${app.title}`}
        data-testid={`app-assign-${app.name}`}
      >
        {t('Assign')}
      </RowButton>
    </div>
  );
}

interface Props {
  app: AppRow;
  environment: string;
  isStray: boolean;
  isBrief: boolean;
}

function EnvironmentStatus({ app, environment, isStray, isBrief }: Props) {
  const t = useT();
  const isLocal = useIsLocal();
  const shown = app.statuses[environment];
  const { label, tone: look } = STATUS[shown.status];
  return (
    <div>
      <div style={{ display: 'flex', flexWrap: 'wrap', gap: 8, alignItems: 'center' }}>
        {!isLocal && <span>{environment}</span>}
        <StateTag tone={look} data-testid={`status-${app.name}-${environment}`} data-status={shown.status}>
          {t(label)}
        </StateTag>
        <Secondary>
          <Since at={shown.since} />
        </Secondary>
      </div>
      {!app.environments.includes(environment) && <Secondary>{t('Removal pending')}</Secondary>}
      {isStray && <Secondary>{t('Expected: {{state}}', { state: t(DESIRED_LABELS[app.desiredState]) })}</Secondary>}
      {shown.error ? (
        <Detail text={messageText(t, shown.error)} isBrief={isBrief} />
      ) : (
        shown.message && (
          <Secondary>
            <Detail text={messageText(t, shown.message)} isBrief={isBrief} />
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

function Detail({ text, isBrief }: { text: string; isBrief: boolean }) {
  return (
    <div style={{ whiteSpace: 'pre-wrap', overflowWrap: 'anywhere', ...(isBrief && TWO_LINES) }} title={text}>
      {text}
    </div>
  );
}
