import { MoreOutlined } from '@ant-design/icons';
import { memo } from 'react';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { useMenuEntry } from '../common/menuEntry';
import { useIsLocal } from '../common/Page';
import { RowButton, RowButtons } from '../common/RowButton';
import { RowMenu } from '../common/RowMenu';
import { useT } from '../host';
import { refusal } from './actions';
import { ACTION_LABELS, moveLabel } from './labels';
import type { AppHandler } from './useAppDialogs';
import { VisitButton } from './VisitButton';

export type RowHandler = (action: Parameters<AppHandler>[0] | 'open', app: AppRow) => void;

interface Props {
  app: AppRow;
  environments: EnvironmentRow[] | null;
  handle: RowHandler;
}

const MORE = ['restart', 'upgrade', 'move', 'resetAdmin', 'renewSecrets', 'destroy'] as const;
/** Their names in the tests of the pages. */
const TEST_IDS: Partial<Record<(typeof MORE)[number], string>> = { resetAdmin: 'reset-admin', destroy: 'delete' };

/** Actions for one app. A disabled action says why. */
export const RowActions = memo(function RowActions({ app, environments, handle }: Props) {
  const t = useT();
  const entry = useMenuEntry();
  const isLocal = useIsLocal();
  const button = (action: 'start' | 'stop' | 'edit') => (
    <RowButton
      refused={refusal(action, app, environments)}
      onClick={() => handle(action, app)}
      data-testid={`app-${action}-${app.name}`}
      aria-label={`${t(ACTION_LABELS[action])} ${app.title}`}
    >
      {t(ACTION_LABELS[action])}
    </RowButton>
  );
  const more = () => ({
    items: (isLocal ? MORE.filter((action) => action !== 'move') : MORE).map((action) =>
      entry({
        key: action,
        label: t(action === 'move' ? moveLabel(app) : ACTION_LABELS[action]),
        refused: refusal(action, app, environments),
        onClick: () => handle(action, app),
        danger: action === 'destroy',
        'data-testid': `app-${TEST_IDS[action] ?? action}-${app.name}`,
      }),
    ),
  });
  return (
    <RowButtons>
      {/* The same width with and without a menu, so that the buttons align in columns. */}
      <span style={{ minWidth: 64 }}>
        <VisitButton app={app} environments={environments} />
      </span>
      {button('start')}
      {button('stop')}
      {button('edit')}
      <RowMenu
        menu={more}
        aria-label={t('More actions for {{app}}', { app: app.title })}
        data-testid={`app-more-${app.name}`}
      >
        <MoreOutlined />
      </RowMenu>
    </RowButtons>
  );
});
