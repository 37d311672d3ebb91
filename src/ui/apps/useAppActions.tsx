import { Typography } from 'antd';
import type { AppRow, EnvironmentRow } from '../../shared/types';
import { type OperateAction, useApi } from '../common/api';
import { useConfirm } from '../common/Confirm';
import { type ApiError, problemText } from '../common/errors';
import { useIsLocal } from '../common/Page';
import { key, type Message } from '../common/text';
import { type Translate, useHost } from '../host';
import { refusal } from './actions';
import { ACTION_LABELS, begun } from './labels';

const QUESTIONS: Record<OperateAction, { one: string; many: string; consequence: string }> = {
  start: {
    one: key('Start "{{app}}"?'),
    many: key('Start {{count}} apps?'),
    consequence: key('Visitors get in after the start. Several environments start one after the other.'),
  },
  stop: {
    one: key('Stop "{{app}}"?'),
    many: key('Stop {{count}} apps?'),
    consequence: key('Visitors cannot get in until the next start.'),
  },
  restart: {
    one: key('Restart "{{app}}"?'),
    many: key('Restart {{count}} apps?'),
    consequence: key('Visitors wait until the restart is over. Several environments restart one after the other.'),
  },
  upgrade: {
    one: key('Upgrade "{{app}}"?'),
    many: key('Upgrade {{count}} apps?'),
    consequence: key('The upgrade changes the data of the app and cannot be undone. Make a backup first.'),
  },
  renewSecrets: {
    one: key('New secrets for "{{app}}"?'),
    many: key('New secrets for {{count}} apps?'),
    consequence: key(
      'All users of the app sign in again, and it restarts; several environments restart one after the other. Its database role gets a new password afterwards. Cancel does not bring the former ones back.',
    ),
  },
};

/**
 * Asks for confirmation, executes the action, and shows the result.
 * @returns functions that resolve to true if the user confirmed and the server accepted the action
 */
export function useAppActions(environments: EnvironmentRow[] | null, refresh: () => void) {
  const host = useHost();
  const api = useApi();
  const confirm = useConfirm();
  const isLocal = useIsLocal();
  const { t } = host;

  const lineOf = (app: AppRow, isOneOfSeveral: boolean) => {
    const places = isLocal ? '' : placesOf(t, app, environments);
    const what = isOneOfSeveral ? app.title : t('Environments');
    return places ? t('{{what}}: {{text}}', { what, text: places }) : what;
  };

  return async (action: OperateAction, selected: AppRow[]): Promise<boolean> => {
    const apps = selected.filter((app) => !refusal(action, app, environments));
    const refused = selected.filter((app) => !apps.includes(app));
    if (!apps.length) {
      host.failure(textOf(t, refusal(action, selected[0], environments)));
      return false;
    }
    const { one, many, consequence } = QUESTIONS[action];
    const agreed = await confirm({
      title: apps.length === 1 ? t(one, { app: apps[0].title }) : t(many, { count: apps.length }),
      okText: t(ACTION_LABELS[action]),
      danger: action === 'stop',
      content: (
        <>
          <Typography.Paragraph>{t(consequence)}</Typography.Paragraph>
          {!(isLocal && apps.length === 1) && (
            <List lines={apps.map((app) => [app.name, lineOf(app, apps.length > 1)])} />
          )}
          {refused.length > 0 && (
            <>
              <Typography.Paragraph type="secondary">{t('Skipped:')}</Typography.Paragraph>
              <List
                lines={refused.map((app) => [
                  app.name,
                  t('{{what}}: {{text}}', { what: app.title, text: textOf(t, refusal(action, app, environments)) }),
                ])}
              />
            </>
          )}
        </>
      ),
    });
    if (!agreed) {
      return false;
    }
    let isTaken = false;
    try {
      // What is refused of several apps is said by their batch.
      await api.operate(
        action,
        apps.map(({ name }) => name),
      );
      isTaken = true;
      host.success(begun(t, action, apps));
    } catch (error) {
      host.failure(problemText(t, (error as ApiError).problems[0]));
    }
    refresh();
    return isTaken;
  };
}

const textOf = (t: Translate, message: Message | null) => (message ? t(message.text, message.values) : '');

function placesOf(t: Translate, app: AppRow, environments: EnvironmentRow[] | null): string {
  const names = app.environments.map((name) => {
    const known = environments?.find((each) => each.name === name);
    return known && !known.available ? t('{{environment}} (waits for its return)', { environment: name }) : name;
  });
  return names.join(t(', '));
}

/** @param lines by the identifiers of apps: titles need not differ */
function List({ lines }: { lines: Array<[app: string, line: string]> }) {
  return (
    <ul style={{ paddingInlineStart: 20, maxHeight: 240, overflow: 'auto' }}>
      {lines.map(([app, line]) => (
        <li key={app}>{line}</li>
      ))}
    </ul>
  );
}
