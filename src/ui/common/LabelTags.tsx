import { css } from '@emotion/css';
import { type GlobalToken, theme } from 'antd';
import { Link } from 'react-router-dom';
import { useT } from '../host';
import { Secondary } from './Secondary';
import { TARGET } from './theme';

/** So many characters are shown even beside a label that is cut off. */
const SHORT = 8;

interface Props {
  labels: readonly string[];
  /** How many are shown at most; of the others only the number. */
  most?: number;
}

/** The labels of an app; each leads to the apps that have it. */
export function LabelTags({ labels, most = labels.length }: Props) {
  const t = useT();
  const { token } = theme.useToken();
  const others = labels.slice(most);
  return (
    <>
      {labels.slice(0, most).map((label) => (
        <Link
          key={label}
          to={`?${new URLSearchParams({ label })}`}
          title={label}
          className={looksOf(token)}
          style={{ flexShrink: label.length > SHORT ? 1 : 0 }}
        >
          <Parts label={label} />
        </Link>
      ))}
      {others.length > 0 && (
        <span title={others.join(t(', '))}>
          <Secondary>+{others.length}</Secondary>
        </span>
      )}
    </>
  );
}

/** Of `customer:acme`, what tells it from others is seen: its first part is cut off before. */
function Parts({ label }: { label: string }) {
  const at = label.indexOf(':') + 1;
  return (
    <>
      {at > 0 && <span className={FIRST}>{label.slice(0, at)}</span>}
      <span className={LAST}>{label.slice(at)}</span>
    </>
  );
}

const CUT = { overflow: 'hidden', textOverflow: 'ellipsis' };
const FIRST = css({ ...CUT, flex: '0 1000 auto', minWidth: 0, opacity: 0.75 });
const LAST = css({ ...CUT, flex: '0 1 auto', minWidth: 0 });

const looksOf = (token: GlobalToken) =>
  css({
    display: 'inline-flex',
    maxWidth: 'min(150px, 100%)',
    overflow: 'hidden',
    whiteSpace: 'nowrap',
    minHeight: TARGET,
    padding: `0 ${token.paddingXXS + 2}px`,
    border: `1px solid ${token.colorBorderSecondary}`,
    borderRadius: token.borderRadiusSM,
    background: token.colorFillQuaternary,
    color: token.colorText,
    fontSize: token.fontSizeSM,
    lineHeight: `${TARGET - 2}px`,
    '&:hover, &:active': { color: token.colorText, borderColor: token.colorPrimaryBorder },
    '&:focus-visible': { outline: `${token.lineWidthFocus}px solid ${token.colorPrimaryBorder}`, outlineOffset: 1 },
  });
