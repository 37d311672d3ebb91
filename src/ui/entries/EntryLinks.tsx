import { Flex, theme } from 'antd';
import type { AppEntry, Status } from '../../shared/types';
import { AppAvatar } from '../common/AppAvatar';
import { entryHref } from '../common/entryHref';
import { Secondary } from '../common/Secondary';
import { STATUS } from '../common/status';
import { key } from '../common/text';
import { useT } from '../host';

const MAIN = key('Main app');
/** No status is shown for these apps: a visit opens them. */
const READY: string[] = ['running', 'dormant'];

/** Links to apps, with icon and name. An app that is known not to open now says why. */
export function EntryLinks({ entries }: { entries: AppEntry[] }) {
  const { token } = theme.useToken();
  return (
    <ul
      style={{
        display: 'grid',
        gridTemplateColumns: 'repeat(auto-fill, minmax(240px, 1fr))',
        gap: token.marginXS,
        margin: 0,
        padding: 0,
        listStyle: 'none',
      }}
    >
      {entries.map((entry) => (
        <li key={entry.name}>
          <EntryLink entry={entry} />
        </li>
      ))}
    </ul>
  );
}

function EntryLink({ entry }: { entry: AppEntry }) {
  const t = useT();
  const { token } = theme.useToken();
  const { name, url, target, status } = entry;
  const title = name === 'main' ? t(MAIN) : entry.title;
  const state = status === null || READY.includes(status) ? null : STATUS[status as Status];
  return (
    <a
      href={entryHref(url)}
      target={target}
      rel="noreferrer"
      data-testid={`entry-${name}`}
      data-status={status}
      style={{ display: 'block', padding: token.paddingXS, borderRadius: token.borderRadius, color: token.colorText }}
    >
      <Flex gap="small" align="center">
        <AppAvatar app={{ ...entry, title }} />
        <Flex vertical style={{ minWidth: 0 }}>
          <span style={{ overflow: 'hidden', textOverflow: 'ellipsis', whiteSpace: 'nowrap' }} title={title}>
            {title}
          </span>
          {state && <Secondary>{t(state.label)}</Secondary>}
        </Flex>
      </Flex>
    </a>
  );
}
