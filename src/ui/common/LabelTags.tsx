import { css } from '@emotion/css';
import { type GlobalToken, theme } from 'antd';
import { Link } from 'react-router-dom';
import { useT } from '../host';
import { Secondary } from './Secondary';
import { shortLabels } from './shortLabels';
import { TARGET } from './theme';

/** So many characters are shown even beside a label that is cut off. */
const SHORT = 8;

interface Props {
  labels: readonly string[];
  /** How many are shown at most, and of each only what follows its first colon; of the others only the number. Default: all, and whole. */
  most?: number;
}

/** The labels of an app; each leads to the apps that have it. */
export function LabelTags({ labels, most }: Props) {
  const t = useT();
  const { token } = theme.useToken();
  const shown = labels.slice(0, most);
  const texts = most === undefined ? shown : shortLabels(shown);
  const others = labels.slice(shown.length);
  return (
    <>
      {shown.map((label, index) => (
        <Link
          key={label}
          to={`?${new URLSearchParams({ label })}`}
          title={label}
          aria-label={label}
          className={looksOf(token)}
          style={{ flexShrink: label.length > SHORT ? 1 : 0 }}
        >
          {texts[index]}
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

const looksOf = (token: GlobalToken) =>
  css({
    maxWidth: 'min(150px, 100%)',
    overflow: 'hidden',
    textOverflow: 'ellipsis',
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
