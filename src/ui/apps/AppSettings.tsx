import { useRequest } from 'ahooks';
import { Descriptions, Flex } from 'antd';
import { ssoOf } from '../../shared/sso';
import type { AppRow } from '../../shared/types';
import { useApi } from '../common/api';
import { EnvironmentLink } from '../common/EnvironmentLink';
import { LabelTags } from '../common/LabelTags';
import {
  DATABASE_LABELS,
  FAILBACK_LABELS,
  FAILOVER_LABELS,
  FIELD_LABELS,
  START_MODE_LABELS,
  VISIBLE_TO_HELP,
  VISIBLE_TO_LABELS,
} from '../common/labels';
import { useIsLocal } from '../common/Page';
import { Since } from '../common/Since';
import { Term } from '../common/Term';
import { useT } from '../host';
import { Domain } from './Domain';
import { databasePlace } from './database';
import { DESIRED_LABELS } from './labels';

/** Everything that was set, and what follows from it. */
export function AppSettings({ app }: { app: AppRow }) {
  const t = useT();
  const isLocal = useIsLocal();
  const titles = useRoleTitles(app.visibleTo === 'roles');
  const yesNo = (value: boolean) => (value ? t('Yes') : t('No'));
  const { dbConnType } = app.options;
  const environments = [
    {
      key: 'environments',
      children: (
        <Flex gap="0 12px" wrap>
          {app.environments.map((name) => (
            <EnvironmentLink key={name} name={name} />
          ))}
        </Flex>
      ),
    },
    { key: 'targetEnvironment', children: app.targetEnvironment ?? '–' },
    {
      key: 'failover',
      children:
        app.failover === 'automatic'
          ? t('Move it after {{seconds}} seconds', { seconds: app.failoverDelay })
          : t(FAILOVER_LABELS.manual),
    },
    { key: 'failback', children: t(FAILBACK_LABELS[app.failback]) },
  ];
  const items = [
    { key: 'name', children: app.name },
    {
      key: 'labels',
      children: app.labels.length ? (
        <Flex gap={4} wrap>
          <LabelTags labels={app.labels} />
        </Flex>
      ) : (
        '–'
      ),
    },
    {
      key: 'sso',
      label: t('Sign-in by the main app'),
      children: ssoOf(app.options.sso).enabled ? t('On') : t('Off'),
    },
    {
      key: 'visibleTo',
      label: <Term help={t(VISIBLE_TO_HELP)}>{t(FIELD_LABELS.visibleTo)}</Term>,
      children:
        app.visibleTo === 'roles'
          ? t('{{what}}: {{text}}', {
              what: t(VISIBLE_TO_LABELS.roles),
              text: app.visibleRoles.map((name) => titles[name] ?? name).join(t(', ')),
            })
          : t(VISIBLE_TO_LABELS[app.visibleTo]),
    },
    ...(isLocal ? [] : environments),
    { key: 'desiredState', label: t('Expected'), children: t(DESIRED_LABELS[app.desiredState]) },
    { key: 'startMode', children: t(START_MODE_LABELS[app.startMode]) },
    {
      key: 'database',
      children: dbConnType
        ? t('{{what}}: {{text}}', { what: t(DATABASE_LABELS[dbConnType]), text: databasePlace(t, app) })
        : databasePlace(t, app),
    },
    { key: 'version', label: t('Data version'), children: app.version ?? '–' },
    { key: 'autoUpgrade', children: app.autoUpgrade ? t('When the app starts') : t('Only on request') },
    { key: 'cname', children: app.cname ? <Domain app={app} /> : '–' },
    { key: 'pinned', children: yesNo(app.pinned) },
    { key: 'hidden', children: yesNo(app.hidden) },
    { key: 'lastVisitAt', label: t('Last visit'), children: <Since at={app.lastVisitAt} /> },
    { key: 'createdAt', label: t('Created'), children: <Since at={app.createdAt} /> },
    { key: 'updatedAt', label: t('Changed'), children: <Since at={app.updatedAt} /> },
  ];
  return (
    <Descriptions
      bordered
      size="small"
      column={1}
      items={items.map((item) => ({ label: t(FIELD_LABELS[item.key] ?? item.key), ...item }))}
    />
  );
}

/** By the names of the roles of the main app. @param isAsked false: nobody needs them */
function useRoleTitles(isAsked: boolean): Record<string, string> {
  const t = useT();
  const api = useApi();
  // Whoever may not read the roles sees their names.
  const { data = [] } = useRequest(() => api.listRoles().catch(() => []), { ready: isAsked });
  return Object.fromEntries(data.map(({ name, title }) => [name, title ? t(title) : name]));
}
