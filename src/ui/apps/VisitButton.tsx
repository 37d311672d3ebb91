import { DownOutlined } from '@ant-design/icons';
import type { MenuProps } from 'antd';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { ActionButton } from '../common/ActionButton';
import { MenuButton } from '../common/MenuButton';
import { RowButton, RowLink } from '../common/RowButton';
import { RowMenu } from '../common/RowMenu';
import { Secondary } from '../common/Secondary';
import { STATUS } from '../common/status';
import { StateIcon } from '../common/Tag';
import { useHost } from '../host';
import { answeringEnvironment, type Refusal, refusal, visitableEnvironments } from './actions';
import { rememberedVisit, rememberVisit, visitUrl } from './visit';

interface Props {
  app: AppRow;
  environments: EnvironmentRow[] | null;
  /** Whether it is the main button of a page and not one in a row. */
  isMain?: boolean;
}

/** Opens the app in a new tab. If several environments serve it, the user selects one. */
export function VisitButton({ app, environments, isMain = false }: Props) {
  const host = useHost();
  const refused = refusal('visit', app, environments);
  const places = visitableEnvironments(app, environments);
  const button = {
    'data-testid': `app-visit-${app.name}`,
    'aria-label': host.t('Visit {{app}}', { app: app.title }),
  };
  const menu = () => {
    const answering = answeringEnvironment(app, places, rememberedVisit(app.name));
    return {
      items: places.map((environment) => ({
        key: environment,
        label: <VisitLink app={app} environment={environment} isAnswering={environment === answering} />,
      })),
      onClick: ({ key }: { key: string }) => rememberVisit(app.name, key),
    };
  };
  if (isMain) return <MainButton {...button} app={app} refused={refused} menu={places.length < 2 ? null : menu} />;
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
    <RowMenu {...button} menu={menu}>
      {host.t('Visit')}
      <DownOutlined style={{ fontSize: 12 }} />
    </RowMenu>
  );
}

interface MainProps extends Record<'data-testid' | 'aria-label', string> {
  app: AppRow;
  refused: Refusal;
  /** Null if nothing can be selected. */
  menu: (() => MenuProps) | null;
}

function MainButton({ app, refused, menu, ...button }: MainProps) {
  const host = useHost();
  if (refused || !menu) {
    return (
      <ActionButton
        {...button}
        type="primary"
        refused={refused}
        href={host.appUrl(app.name)}
        target="_blank"
        // A space between two Chinese characters is not in the button's name.
        autoInsertSpace={false}
      >
        {host.t('Visit')}
      </ActionButton>
    );
  }
  return (
    <MenuButton {...button} type="primary" menu={menu()}>
      {host.t('Visit')} <DownOutlined aria-hidden style={{ fontSize: 12 }} />
    </MenuButton>
  );
}

function VisitLink({ app, environment, isAnswering }: { app: AppRow; environment: string; isAnswering: boolean }) {
  const host = useHost();
  const status = app.statuses[environment]?.status ?? 'unknown';
  const notes = [
    host.t(STATUS[status].label),
    environment === app.targetEnvironment && host.t('target environment'),
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
