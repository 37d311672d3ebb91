import { Flex, theme } from 'antd';
import { Link } from 'react-router-dom';
import type { EventRow, SettingChange } from '../../shared/event';
import { Author, useNames } from '../common/Author';
import { messageText } from '../common/errors';
import { FIELD_LABELS, OPERATION_NAMES, VALUE_LABELS } from '../common/labels';
import { useIsLocal } from '../common/Page';
import { environmentPath, logAddress } from '../common/paths';
import { Secondary } from '../common/Secondary';
import { Since } from '../common/Since';
import { OPERATION_STATE } from '../common/status';
import { StateIcon, StateTag } from '../common/Tag';
import { Term } from '../common/Term';
import { readableColors } from '../common/theme';
import { duration } from '../common/time';
import { useT } from '../host';
import { KINDS, PART_LABELS } from './labels';

interface Props {
  rows: EventRow[];
  /** Address of the list of apps, without `?`; the current page if it is left out. */
  appsPath?: string;
  /** Whether each row names its app: false where all are of one. */
  namesApp: boolean;
}

/** What happened, newest first, each with its cause, what changed, and links to where it is seen in detail. */
export function EventList({ rows, ...rest }: Props) {
  const names = useNames(rows.map(({ createdBy }) => createdBy));
  return (
    <ul style={{ listStyle: 'none', margin: 0, padding: 0 }} data-testid="events">
      {rows.map((row) => (
        <Row key={row.id} row={row} names={names} {...rest} />
      ))}
    </ul>
  );
}

interface RowProps extends Omit<Props, 'rows'> {
  row: EventRow;
  names: Record<string, string>;
}

/** Kind and text beside each other where there is room, otherwise below each other. */
function Row({ row, names, ...links }: RowProps) {
  const t = useT();
  const { token } = theme.useToken();
  const { label, tone, icon, help } = KINDS[row.kind];
  return (
    <li
      data-testid={`event-${row.id}`}
      data-kind={row.kind}
      style={{ padding: `${token.paddingSM}px 0`, borderTop: `1px solid ${token.colorSplit}` }}
    >
      <Flex gap={token.marginSM} align="start" wrap>
        <div style={{ minWidth: 'min(148px, 100%)' }}>
          <StateTag tone={tone} icon={icon}>
            {help ? <Term help={t(help)}>{t(label)}</Term> : t(label)}
          </StateTag>
        </div>
        <Flex vertical gap={2} style={{ flex: '1 1 280px', minWidth: 0, overflowWrap: 'anywhere' }}>
          <span>{messageText(t, row.message)}</span>
          {row.cause && <Secondary>{messageText(t, row.cause)}</Secondary>}
          {row.changes?.map((change) => (
            <Change key={change.field} change={change} />
          ))}
          <Flex gap={`0 ${token.marginSM}px`} wrap>
            <Secondary>
              <Since at={row.at} />
              {row.createdBy !== null && (
                <>
                  {' · '}
                  <Author id={row.createdBy} names={names} />
                </>
              )}
              {row.endedAt !== null && row.endedAt > row.at && (
                <> · {t('over after {{duration}}', { duration: duration(row.endedAt - row.at) })}</>
              )}
            </Secondary>
            {row.endedAt === null && <StateTag tone="bad">{t('Ongoing')}</StateTag>}
            <Links row={row} {...links} />
          </Flex>
        </Flex>
      </Flex>
    </li>
  );
}

const isYesOrNo = (value: string | null) => value === 'true' || value === 'false';

function Change({ change: { field, before, after, isSecret } }: { change: SettingChange }) {
  const t = useT();
  const value = (text: string | null) => {
    if (text === null) return t('none');
    if (isYesOrNo(text)) return text === 'true' ? t('Yes') : t('No');
    const word = VALUE_LABELS[field]?.[text];
    return word ? t(word) : text;
  };
  const label = PART_LABELS[field] ?? FIELD_LABELS[field] ?? PART_LABELS[field.split('.')[0]];
  const name = label ? t(label) : field;
  return (
    <span>
      <Secondary>{name}</Secondary>{' '}
      {isSecret
        ? t('was changed (not shown)')
        : t('{{before}} → {{after}}', { before: value(before), after: value(after) })}
    </span>
  );
}

/** A line may be written a little later than what it is about, and by another clock, in ms. */
const LOG_SLACK = 10_000;

/** Until when an event is in the log; null while its operation goes on. */
function logEnd({ at, operation, kind }: EventRow): number | null {
  if (kind === 'failure' || kind === 'crash' || !operation) return at + LOG_SLACK;
  return operation.finishedAt && operation.finishedAt + LOG_SLACK;
}

function Links({ row, appsPath = '', namesApp }: Omit<RowProps, 'names'>) {
  const t = useT();
  const isLocal = useIsLocal();
  const { token } = theme.useToken();
  const { appName, appTitle, operation } = row;
  const style = { color: readableColors(token).link, paddingBlock: 4 };
  if (appName === null && row.environment !== null && !isLocal)
    return (
      <Link to={environmentPath(row.environment)} style={style}>
        {t('Environment {{environment}}', { environment: row.environment })}
      </Link>
    );
  if (appName === null || appTitle === null) return null;
  const to = (tab?: string) => `${appsPath}?${new URLSearchParams({ app: appName, ...(tab && { tab }) })}`;
  return (
    <>
      {namesApp && (
        <Link to={to()} style={style}>
          {t('App {{title}}', { title: appTitle })}
        </Link>
      )}
      {operation && (
        <Link to={to('operations')} style={style}>
          <StateIcon tone={OPERATION_STATE[operation.state].tone} />{' '}
          {t('{{action}}: {{state}}', {
            action: t(OPERATION_NAMES[operation.action]),
            state: t(OPERATION_STATE[operation.state].label),
          })}
        </Link>
      )}
      {row.kind !== 'signIn' && (
        <Link to={`${appsPath}?${logAddress(appName, row.environment, logEnd(row))}`} style={style}>
          {t('Log')}
        </Link>
      )}
    </>
  );
}
