import { DownOutlined } from '@ant-design/icons';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { RowButton, RowLink } from '../common/RowButton';
import { RowMenu } from '../common/RowMenu';
import { Secondary } from '../common/Secondary';
import { STATUS } from '../common/status';
import { StateIcon } from '../common/Tag';
import { useHost } from '../host';
import { answeringEnvironment, refusal, visitableEnvironments } from './actions';
import { rememberedVisit, rememberVisit, visitUrl } from './visit';

interface Props {
  app: AppRow;
  environments: EnvironmentRow[] | null;
}

/** Opens the app in a new tab. If several environments serve it, the user selects one. */
export function VisitButton({ app, environments }: Props) {
  const host = useHost();
  const refused = refusal('visit', app, environments);
  const places = visitableEnvironments(app, environments);
  const button = {
    'data-testid': `app-visit-${app.name}`,
    'aria-label': host.t('Visit {{app}}', { app: app.title }),
  };
  if (refused) {
    return (
      <RowButton {...button} refused={refused}>
        {host.t('Visit')}
      </RowButton>
    );
  }
  if (places.length < 2) {
    return (
      <RowLink {...button} href={host.appUrl(app.name)}>
        {host.t('Visit')}
      </RowLink>
    );
  }
  return (
    <RowMenu
      {...button}
      menu={() => {
        const answering = answeringEnvironment(app, places, rememberedVisit(app.name));
        return {
          items: places.map((environment) => ({
            key: environment,
            label: <VisitLink app={app} environment={environment} isAnswering={environment === answering} />,
          })),
          onClick: ({ key }) => rememberVisit(app.name, key),
        };
      }}
    >
      {host.t('Visit')}
      <DownOutlined style={{ fontSize: 12 }} />
    </RowMenu>
  );
}

function VisitLink({ app, environment, isAnswering }: { app: AppRow; environment: string; isAnswering: boolean }) {
  const host = useHost();
  const status = app.statuses[environment]?.status ?? 'unknown';
  const notes = [
    host.t(STATUS[status].label),
    environment === app.targetEnvironment && host.t('target'),
    isAnswering && host.t('serves you now'),
  ];
  return (
    <a
      href={visitUrl(host, app.name, environment)}
      target="_blank"
      rel="noreferrer"
      data-testid={`app-visit-${app.name}-${environment}`}
    >
      <StateIcon tone={STATUS[status].tone} /> {environment} <Secondary>{notes.filter(Boolean).join(' · ')}</Secondary>
    </a>
  );
}
