import { Alert, Flex } from 'antd';
import type { ReactNode } from 'react';
import type { Message } from '../../shared/message';
import type { MovePreview } from '../../shared/move';
import { type Translate, useT } from '../host';
import { messageText } from './errors';
import { movesApart, type Refused } from './move-groups';
import { Secondary } from './Secondary';
import type { Tone } from './status';
import { StateIcon } from './Tag';
import { key } from './text';
import { duration } from './time';

/** What a move would do with each app, and what is good to know before it. What cannot be moved is told by cause. */
export function MoveList({ apps }: { apps: MovePreview[] }) {
  const t = useT();
  const { moved, served, refused } = movesApart(apps);
  // Most notes are of all apps. Of several apps, those that are of one are in its line.
  const isInLine = ({ code }: Message) => apps.length > 1 && code in IN_LINE;
  const shown = apps.flatMap((app) => app.notes.filter((note) => !isInLine(note)));
  const notes = new Map(shown.map((note) => [messageText(t, note), note] as const));
  const inLine = ({ notes }: MovePreview) => notes.filter(isInLine).map(({ code, params }) => t(IN_LINE[code], params));
  return (
    <Flex vertical gap="middle">
      <Flex vertical gap={4} style={{ maxHeight: 280, overflowY: 'auto' }} role="list">
        {refused.map((group) => (
          <NotMoved key={messageText(t, group.cause)} {...group} />
        ))}
        {served.map((app) => (
          <Line key={app.app} app={app.app} tone="good" title={app.title}>
            {t('stays served by {{environment}}', { environment: app.servedIn.join(t(', ')) })}
          </Line>
        ))}
        {moved.map((app) => (
          <Line key={app.app} app={app.app} tone="good" title={app.title}>
            {[wayOf(t, app), ...inLine(app)].join(' · ')}
          </Line>
        ))}
      </Flex>
      {[...notes].map(([text, { code }]) => (
        <Alert key={text} type={code === 'MOVE_SOURCE_DOWN' ? 'error' : 'info'} showIcon message={text} />
      ))}
    </Flex>
  );
}

interface LineProps {
  /** Identifier. */
  app: string;
  tone: Tone;
  title: string;
  children: ReactNode;
}

function Line({ app, tone, title, children }: LineProps) {
  return (
    <Flex gap={8} align="baseline" role="listitem" data-testid={`move-${app}`}>
      <StateIcon tone={tone} />
      <span style={{ overflowWrap: 'anywhere' }}>
        {title} <Secondary>{children}</Secondary>
      </span>
    </Flex>
  );
}

/** An app that is stopped anyway loses nothing where it stays. */
const isStopped = ({ notes }: MovePreview): boolean => notes.some(({ code }) => code === 'MOVE_STAYS_STOPPED');

/** Said of several apps, where the cause of one names it. */
const OF_SEVERAL: Record<string, string> = {
  MOVE_DATABASE_ABSENT: key(
    'Environment "{{environment}}" does not find their databases on its server. Move the data there first, or select another environment.',
  ),
  MOVE_DATABASE_FILE: key(
    'Their data is in SQLite files, from which an environment that is down cannot be cut off: environment "{{environment}}" must not start them meanwhile.',
  ),
  ALREADY_IN_ENVIRONMENT: key('They are already in environment "{{environment}}". Select another one.'),
};

function NotMoved({ cause, apps }: Refused) {
  const t = useT();
  const tone = apps.every(isStopped) ? 'off' : 'bad';
  const [first] = apps;
  if (apps.length === 1)
    return (
      <Line app={first.app} tone={tone} title={first.title}>
        {messageText(t, cause)}
        {isStopped(first) && ` · ${t(IN_LINE.MOVE_STAYS_STOPPED)}`}
      </Line>
    );
  const several = OF_SEVERAL[cause.code];
  return (
    <Flex gap={8} align="baseline" role="listitem" data-testid={`not-moved-${cause.code}`}>
      <StateIcon tone={tone} />
      <div style={{ overflowWrap: 'anywhere', minWidth: 0 }}>
        {t('{{count}} apps cannot be moved: {{cause}}', {
          count: apps.length,
          cause: several ? t(several, cause.params) : messageText(t, cause),
        })}
        <details>
          <summary style={{ cursor: 'pointer' }}>{t('Show them')}</summary>
          <Secondary>{apps.map(({ title }) => title).join(t(', '))}</Secondary>
        </details>
      </div>
    </Flex>
  );
}

const IN_LINE: Record<string, string> = {
  MOVE_UPLOADS_COME: key('uploaded files: {{files}} ({{size}})'),
  MOVE_STAYS_STOPPED: key('stays stopped'),
};

function wayOf(t: Translate, { from, to, overlaps, waits }: MovePreview): string {
  const way = from === null ? `→ ${to}` : `${from} → ${to}`;
  if (overlaps) return `${way} · ${t('visitors do not wait')}`;
  return waits === null ? way : `${way} · ${t('visitors wait for about {{time}}', { time: duration(waits) })}`;
}
