import { DownOutlined } from '@ant-design/icons';
import { Dropdown } from 'antd';
import { useState } from 'react';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { ActionButton } from '../common/ActionButton';
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

/** Opens the app in a new tab; where several environments serve it, asks which. */
export function VisitButton({ app, environments }: Props) {
  const host = useHost();
  const refused = refusal('visit', app, environments);
  const places = visitableEnvironments(app, environments);
  const button = {
    type: 'link' as const,
    size: 'small' as const,
    'data-testid': `app-visit-${app.name}`,
    'aria-label': host.t('Visit {{app}}', { app: app.title }),
  };
  if (refused || places.length < 2) {
    return (
      <ActionButton {...button} refused={refused} href={host.appUrl(app.name)} target="_blank">
        {host.t('Visit')}
      </ActionButton>
    );
  }
  return (
    <Dropdown
      trigger={['click']}
      menu={{
        items: places.map((environment) => ({
          key: environment,
          label: <VisitLink app={app} environment={environment} places={places} />,
        })),
        onClick: ({ key }) => rememberVisit(app.name, key),
      }}
    >
      <ActionButton {...button} refused={null} icon={<DownOutlined />} iconPosition="end" aria-haspopup="menu">
        {host.t('Visit')}
      </ActionButton>
    </Dropdown>
  );
}

function VisitLink({ app, environment, places }: { app: AppRow; environment: string; places: string[] }) {
  const host = useHost();
  const [last] = useState(() => rememberedVisit(app.name));
  const status = app.statuses[environment]?.status ?? 'unknown';
  const notes = [
    host.t(STATUS[status].label),
    environment === app.targetEnvironment && host.t('target'),
    environment === answeringEnvironment(app, places, last) && host.t('answers you now'),
  ];
  return (
    <a
      href={visitUrl(host, app.name, environment)}
      target="_blank"
      rel="noreferrer"
      data-testid={`app-visit-${app.name}-${environment}`}
    >
      <StateIcon look={STATUS[status].look} /> {environment} <Secondary>{notes.filter(Boolean).join(' · ')}</Secondary>
    </a>
  );
}
