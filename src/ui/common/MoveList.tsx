import { Alert, Flex } from 'antd';
import type { Message } from '../../shared/message';
import type { MovePreview } from '../../shared/move';
import { type Translate, useT } from '../host';
import { messageText } from './errors';
import { Secondary } from './Secondary';
import type { Tone } from './status';
import { StateIcon } from './Tag';
import { key } from './text';
import { duration } from './time';

/** What a move would do with each app, and what is good to know before it. */
export function MoveList({ apps }: { apps: MovePreview[] }) {
  const t = useT();
  // Most notes are of all apps. Of several apps, those that are of one are in its line.
  const isInLine = ({ code }: Message) => apps.length > 1 && code in IN_LINE;
  const shown = apps.flatMap((app) => app.notes.filter((note) => !isInLine(note)));
  const notes = new Map(shown.map((note) => [messageText(t, note), note] as const));
  return (
    <Flex vertical gap="middle">
      <Flex vertical gap={4} style={{ maxHeight: 280, overflowY: 'auto' }} role="list">
        {apps.map((app) => (
          <Flex key={app.app} gap={8} align="baseline" role="listitem" data-testid={`move-${app.app}`}>
            <StateIcon tone={toneOf(app)} />
            <span style={{ overflowWrap: 'anywhere' }}>
              {app.title}{' '}
              <Secondary>
                {[
                  wayOf(t, app),
                  ...app.notes.filter(isInLine).map(({ code, params }) => t(IN_LINE[code], params)),
                ].join(' · ')}
              </Secondary>
            </span>
          </Flex>
        ))}
      </Flex>
      {[...notes].map(([text, { code }]) => (
        <Alert key={text} type={code === 'MOVE_SOURCE_DOWN' ? 'error' : 'info'} showIcon message={text} />
      ))}
    </Flex>
  );
}

const IN_LINE: Record<string, string> = {
  MOVE_UPLOADS_COME: key('uploaded files: {{files}} ({{size}})'),
  MOVE_STAYS_STOPPED: key('stays stopped'),
};

/** An app that is stopped anyway loses nothing where it stays. */
function toneOf({ refused, notes }: MovePreview): Tone {
  if (!refused) return 'good';
  return notes.some(({ code }) => code === 'MOVE_STAYS_STOPPED') ? 'off' : 'bad';
}

function wayOf(t: Translate, { from, to, refused, overlaps, waits }: MovePreview): string {
  if (refused) return messageText(t, refused);
  const way = from === null ? `→ ${to}` : `${from} → ${to}`;
  if (overlaps) return `${way} · ${t('visitors do not wait')}`;
  return waits === null ? way : `${way} · ${t('visitors wait for about {{time}}', { time: duration(waits) })}`;
}
