import { MoreOutlined } from '@ant-design/icons';
import { Button, Dropdown, Flex } from 'antd';
import { memo } from 'react';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { ActionButton } from '../common/ActionButton';
import type { OperateAction } from '../common/api';
import { useT } from '../host';
import { refusal } from './actions';
import { ACTION_LABELS } from './labels';
import { VisitButton } from './VisitButton';

export type RowHandler = (action: OperateAction | 'open' | 'edit' | 'destroy', app: AppRow) => void;

interface Props {
  app: AppRow;
  environments: EnvironmentRow[] | null;
  handle: RowHandler;
}

/** What can be done with one app; what makes no sense now says why. */
export const RowActions = memo(function RowActions({ app, environments, handle }: Props) {
  const t = useT();
  const button = (action: 'start' | 'stop' | 'edit' | 'destroy') => (
    <ActionButton
      type="link"
      size="small"
      danger={action === 'destroy'}
      refused={refusal(action, app, environments)}
      onClick={() => handle(action, app)}
      data-testid={`app-${action === 'destroy' ? 'delete' : action}-${app.name}`}
      aria-label={`${t(ACTION_LABELS[action])} ${app.title}`}
    >
      {t(ACTION_LABELS[action])}
    </ActionButton>
  );
  const more = (['restart', 'upgrade'] as const).map((action) => {
    const refused = refusal(action, app, environments);
    return {
      key: action,
      label: t(ACTION_LABELS[action]),
      disabled: Boolean(refused),
      title: refused ? t(refused.text, refused.values) : undefined,
      onClick: () => handle(action, app),
      'data-testid': `app-${action}-${app.name}`,
    };
  });
  return (
    <Flex style={{ marginInlineStart: -8 }}>
      <VisitButton app={app} environments={environments} />
      {button('start')}
      {button('stop')}
      {button('edit')}
      {button('destroy')}
      <Dropdown trigger={['click']} menu={{ items: more }}>
        <Button
          type="text"
          size="small"
          icon={<MoreOutlined />}
          aria-label={t('More actions for {{app}}', { app: app.title })}
          data-testid={`app-more-${app.name}`}
        />
      </Dropdown>
    </Flex>
  );
});
