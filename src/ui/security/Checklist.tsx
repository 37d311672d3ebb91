import { ReloadOutlined } from '@ant-design/icons';
import { Button, Card, Empty, Flex, Skeleton, Tooltip, theme } from 'antd';
import type { ReactNode } from 'react';
import type { ChecklistLevel, ChecklistRow } from '../../shared/checklist';
import { useApi } from '../common/api';
import { EnvironmentLink } from '../common/EnvironmentLink';
import { messageText } from '../common/errors';
import { Failure, Freshness } from '../common/Page';
import { appPath } from '../common/paths';
import { keepRows } from '../common/refresher';
import { Secondary } from '../common/Secondary';
import type { Tone } from '../common/status';
import { StateTag } from '../common/Tag';
import { TextLink } from '../common/TextLink';
import { key } from '../common/text';
import { TARGET } from '../common/theme';
import { useLive } from '../common/useLive';
import { type Account, useResetAdmin } from '../common/useResetAdmin';
import { type Translate, useT } from '../host';

const LEVELS: Record<ChecklistLevel, { label: string; tone: Tone }> = {
  red: { label: key('Unsafe'), tone: 'bad' },
  yellow: { label: key('Check'), tone: 'warning' },
  ok: { label: key('OK'), tone: 'good' },
};

/** The security checklist: what holds here and now, red first, with what to do beside each row. */
export function Checklist() {
  const t = useT();
  const api = useApi();
  const { reset, dialog } = useResetAdmin(() => void refresh());
  const { data, error, refresh } = useLive(
    async (previous: ChecklistRow[] | undefined) => keepRows(previous, await api.checklist(), idOf),
    'checklist',
  );
  if (!data) return <Card>{error ? <Failure error={error} retry={refresh} /> : <Skeleton active />}</Card>;
  return (
    <Card>
      <Flex vertical gap="middle">
        <Flex gap="small" align="center" justify="space-between" wrap>
          <Summary rows={data} />
          <Tooltip title={t('Refresh')}>
            <Button icon={<ReloadOutlined />} onClick={refresh} aria-label={t('Refresh')} />
          </Tooltip>
        </Flex>
        <Freshness error={error} />
        {data.length ? (
          <ul style={{ listStyle: 'none', margin: 0, padding: 0 }} data-testid="checklist">
            {data.map((row) => (
              <Row key={idOf(row)} row={row} reset={reset} />
            ))}
          </ul>
        ) : (
          <Empty image={Empty.PRESENTED_IMAGE_SIMPLE} description={t('Nothing is checked here')} />
        )}
      </Flex>
      {dialog}
    </Card>
  );
}

const idOf = ({ check, code }: ChecklistRow) => `${check} ${code}`;

function Summary({ rows }: { rows: ChecklistRow[] }) {
  const t = useT();
  const count = (level: ChecklistLevel) => rows.filter((row) => row.level === level).length;
  const [red, yellow] = [count('red'), count('yellow')];
  return (
    <strong role="status">
      {red || yellow
        ? t('{{red}} unsafe, {{yellow}} to check, {{ok}} OK', { red, yellow, ok: count('ok') })
        : t('Everything that is checked is OK')}
    </strong>
  );
}

/** Text and remedy beside each other where there is room, otherwise below each other. */
function Row({ row, reset }: { row: ChecklistRow; reset: (account: Account) => void }) {
  const t = useT();
  const { token } = theme.useToken();
  const { label, tone } = LEVELS[row.level];
  return (
    <li
      data-testid={`checklist-${row.code}`}
      data-level={row.level}
      style={{ padding: `${token.paddingSM}px 0`, borderTop: `1px solid ${token.colorSplit}` }}
    >
      <Flex gap={token.marginSM} align="start" wrap>
        <div style={{ minWidth: 88 }}>
          <StateTag tone={tone}>{t(label)}</StateTag>
        </div>
        <div style={{ flex: '1 1 240px', minWidth: 0, overflowWrap: 'anywhere' }}>
          {messageText(t, counted(t, row))}
          <Folded names={manyOf(row)}>
            <Links row={row} />
          </Folded>
        </div>
        <div style={{ flex: '1 1 240px', minWidth: 0, overflowWrap: 'anywhere' }}>
          {row.remedy && <Secondary>{messageText(t, row.remedy)}</Secondary>}
          <Folded names={manyOf(row) && accountsOf(row).map(({ name }) => name)}>
            <Flex gap="small" wrap>
              {accountsOf(row).map((account) => (
                <Button
                  key={account.name}
                  size="small"
                  style={{ marginTop: token.marginXXS }}
                  onClick={() => reset(account)}
                  data-testid={`reset-admin-${account.name}`}
                >
                  {t('New password for {{name}}', { name: account.name })}
                </Button>
              ))}
            </Flex>
          </Folded>
        </div>
      </Flex>
    </li>
  );
}

/** To the pages of the apps and environments that a row is about. */
function Links({ row: { apps = [], environments = [] } }: { row: ChecklistRow }) {
  if (!apps.length && !environments.length) return null;
  return (
    <Flex gap="0 12px" wrap data-testid="checklist-links">
      {environments.map((name) => (
        <EnvironmentLink key={`environment ${name}`} name={name} />
      ))}
      {apps.map((name) => (
        <TextLink key={`app ${name}`} to={appPath(name)}>
          {name}
        </TextLink>
      ))}
    </Flex>
  );
}

/** So many names are read at a glance. */
const FEW = 8;

/** The apps of a row, where they are too many for its text. */
const manyOf = ({ apps }: ChecklistRow): string[] | null => (apps && apps.length > FEW ? apps : null);

/** The row with the number of its apps in place of their names, where these are many. */
function counted(t: Translate, row: ChecklistRow): ChecklistRow {
  const names = manyOf(row);
  return names ? { ...row, params: { ...row.params, apps: t('{{count}} apps', { count: names.length }) } } : row;
}

/** Shown at once, or on demand where it is long. @param names null: it is short */
function Folded({ names, children }: { names: string[] | null; children: ReactNode }) {
  const t = useT();
  if (!names) return children;
  if (!names.length) return null;
  return (
    <details>
      <summary style={{ minHeight: TARGET, cursor: 'pointer' }}>{t('Show them')}</summary>
      {children}
    </details>
  );
}

/** Administrators that can get a new password here. */
function accountsOf({ code, apps = [], environments = [], params }: ChecklistRow): Account[] {
  if (code === 'APP_PASSWORDS_KNOWN') return apps.map((name) => ({ kind: 'app', name, title: name }));
  if (code !== 'WORKER_PASSWORDS_KNOWN') return [];
  const addresses = String(params?.addresses ?? '').split(', ');
  return environments.map((name, index) => ({ kind: 'environment', name, url: addresses[index] ?? '' }));
}
