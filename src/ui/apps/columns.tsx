import { css } from '@emotion/css';
import type { TableColumnType } from 'antd';
import { memo } from 'react';
import { ssoOf } from '../../shared/sso';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { AppAvatar } from '../common/AppAvatar';
import { LabelTags } from '../common/LabelTags';
import { START_MODE_LABELS } from '../common/labels';
import { RowButton } from '../common/RowButton';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import type { Translate } from '../host';
import { AppStatuses } from './AppStatuses';
import { Domain } from './Domain';
import { OperationCell } from './OperationCell';
import { OPTIONAL_COLUMNS } from './optional-columns';
import { RowActions, type RowHandler } from './RowActions';

/** Most labels that a row names. */
const NAMED_LABELS = 2;

export function columnsOf(
  t: Translate,
  environments: EnvironmentRow[] | null,
  shown: string[],
  handle: RowHandler,
): TableColumnType<AppRow>[] {
  const optional = (name: string, column: TableColumnType<AppRow>) =>
    shown.includes(name) ? [{ key: name, title: t(OPTIONAL_COLUMNS[name].label), ...column }] : [];
  return [
    {
      key: 'title',
      title: t('App'),
      width: 200,
      sorter: true,
      render: (_, app) => <AppName app={app} handle={handle} hasLabels={!shown.includes('labels')} />,
    },
    {
      key: 'status',
      title: t('Status'),
      sorter: true,
      render: (_, app) => <AppStatuses app={app} handle={handle} />,
    },
    ...optional('operation', { width: 130, render: (_, app) => <OperationCell operation={app.operation} /> }),
    ...optional('labels', {
      width: 170,
      sorter: true,
      render: (_, { labels }) =>
        labels.length > 0 ? (
          <span className={TAGS}>
            <LabelTags labels={labels} most={NAMED_LABELS} />
          </span>
        ) : null,
    }),
    ...optional('cname', { width: 200, render: (_, app) => app.cname && <Domain app={app} /> }),
    ...optional('version', { width: 90, render: (_, { version }) => version ?? '–' }),
    ...optional('lastVisitAt', { width: 100, render: (_, app) => <Since at={app.lastVisitAt} /> }),
    ...optional('startMode', { width: 150, render: (_, app) => t(START_MODE_LABELS[app.startMode]) }),
    ...optional('sso', { width: 130, render: (_, app) => (ssoOf(app.options.sso).enabled ? t('On') : t('Off')) }),
    ...optional('createdAt', { width: 120, sorter: true, render: (_, app) => <Since at={app.createdAt} /> }),
    {
      key: 'actions',
      fixed: 'right',
      width: 250,
      title: t('Actions'),
      render: (_, app) => <RowActions app={app} environments={environments} handle={handle} />,
    },
  ];
}

/** One line, if there is room for title and identifier. */
const NAME = css({ display: 'flex', flexWrap: 'wrap', alignItems: 'baseline', columnGap: 8, minWidth: 0 });
/** One line, however long the labels are. */
const TAGS = css({ display: 'flex', maxWidth: '100%', alignItems: 'center', gap: 4 });

interface NameProps {
  app: AppRow;
  handle: RowHandler;
  /** False if they have a column. */
  hasLabels: boolean;
}

const AppName = memo(function AppName({ app, handle, hasLabels }: NameProps) {
  return (
    <div style={{ display: 'flex', gap: 8, alignItems: 'center', minWidth: 0 }}>
      <AppAvatar app={app} size={24} />
      <div className={NAME}>
        <RowButton
          style={{ padding: 0, whiteSpace: 'normal', overflowWrap: 'anywhere', textAlign: 'start' }}
          id={`app-open-${app.name}`}
          onClick={() => handle('open', app)}
          data-testid={`app-open-${app.name}`}
        >
          {app.title}
        </RowButton>
        <Secondary>{app.name}</Secondary>
        {hasLabels && app.labels.length > 0 && (
          <span className={TAGS}>
            <LabelTags labels={app.labels} most={NAMED_LABELS} />
          </span>
        )}
      </div>
    </div>
  );
});
