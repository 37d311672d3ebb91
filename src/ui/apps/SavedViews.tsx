import { CheckOutlined, DownOutlined } from '@ant-design/icons';
import type { MenuProps } from 'antd';
import { useState } from 'react';
import type { ViewRow } from '../../shared/view';
import { useApi } from '../common/api';
import { useConfirm } from '../common/Confirm';
import { type ApiError, problemText } from '../common/errors';
import { MenuButton } from '../common/MenuButton';
import { type Translate, useHost } from '../host';
import { useViews } from './useViews';
import { ViewNameDialog } from './ViewNameDialog';

/** Named filters, sort and columns of the list. @param columns the optional ones that are shown */
export function SavedViews({ columns }: { columns: readonly string[] }) {
  const { t } = useHost();
  const state = useViews(columns);
  const changes = useChanges(state.refresh);
  const { views, chosen, address, isChanged, show, refresh } = state;
  const [naming, setNaming] = useState<'new' | ViewRow>();
  // Without permission, for example: the list itself says what is wrong.
  if (!views) return null;

  const act = (item: string) => {
    if (item === 'all') show(null);
    else if (item === 'new') setNaming('new');
    else if (item === 'rename') setNaming(chosen);
    else if (item === 'save' && chosen) void changes.save(chosen, address);
    else if (item === 'delete' && chosen) void changes.destroy(chosen);
    else show(views.find(({ id }) => `view ${id}` === item) ?? null);
  };
  const items = itemsOf(t, state);
  const name = chosen && (isChanged ? t('{{view}} (changed)', { view: chosen.name }) : chosen.name);

  return (
    <>
      <MenuButton
        aria-label={name ? t('Saved view: {{view}}', { view: name }) : undefined}
        style={{ flex: '0 1 auto', minWidth: 0, maxWidth: 180 }}
        data-testid="views"
        menu={{
          items,
          onClick: ({ key }) => act(key),
          style: { maxHeight: 420, maxWidth: 'min(320px, 90vw)', overflowY: 'auto' },
          'aria-label': t('Saved views'),
        }}
      >
        <span title={name} style={{ overflow: 'hidden', textOverflow: 'ellipsis' }}>
          {name ?? t('Saved views')}
        </span>
        <DownOutlined aria-hidden style={{ fontSize: 12 }} />
      </MenuButton>
      {naming && (
        <ViewNameDialog
          view={naming === 'new' ? undefined : naming}
          address={address}
          onClose={() => setNaming(undefined)}
          onSaved={async (view) => {
            await refresh();
            if (naming === 'new') show(view);
          }}
        />
      )}
    </>
  );
}

/** Changes of a view, and what came of them. */
function useChanges(refresh: () => Promise<unknown>) {
  const { t, success, failure } = useHost();
  const api = useApi();
  const confirm = useConfirm();
  const attempt = async (work: () => Promise<unknown>, done: string) => {
    try {
      await work();
      await refresh();
      success(done);
    } catch (thrown) {
      failure(problemText(t, (thrown as ApiError).problems[0]));
    }
  };
  const destroy = async (view: ViewRow) => {
    const title = t('Delete the view "{{view}}"?', { view: view.name });
    const content = t('The apps stay as they are.');
    if (await confirm({ title, content, okText: t('Delete'), danger: true }))
      await attempt(() => api.destroyView(view.id), t('View deleted'));
  };
  const save = (view: ViewRow, address: string) => attempt(() => api.updateView(view.id, { address }), t('View saved'));
  return { save, destroy };
}

type Shown = Pick<ReturnType<typeof useViews>, 'views' | 'chosen' | 'isChanged' | 'isAll'>;

function itemsOf(t: Translate, { views, chosen, isChanged, isAll }: Shown): MenuProps['items'] {
  const tick = (isShown: boolean) => (
    <CheckOutlined aria-hidden style={{ visibility: isShown ? undefined : 'hidden' }} />
  );
  return [
    { key: 'all', label: t('All apps'), icon: tick(isAll) },
    ...(views ?? []).map((view) => ({ key: `view ${view.id}`, label: view.name, icon: tick(view === chosen) })),
    { type: 'divider' },
    ...(isChanged ? [{ key: 'save', label: t('Save changes') }] : []),
    { key: 'new', label: t('Save as a new view…') },
    ...(chosen
      ? [
          { key: 'rename', label: t('Rename…') },
          { key: 'delete', label: t('Delete'), danger: true },
        ]
      : []),
  ];
}
