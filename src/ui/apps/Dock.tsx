import { css } from '@emotion/css';
import { type GlobalToken, theme } from 'antd';
import type { ReactNode } from 'react';

/** What stays in sight at the lower edge of the list, wherever that is scrolled to. */
export function Dock({ children }: { children: ReactNode }) {
  const { token } = theme.useToken();
  return <div className={dockOf(token)}>{children}</div>;
}

/** In px: so much of its end is covered by the button of NocoBase's AI employees. */
const COVERED = 56;

/** Above the columns that are fixed and the header that stays. */
const dockOf = (token: GlobalToken) =>
  css({
    position: 'sticky',
    bottom: 0,
    zIndex: 5,
    display: 'flex',
    flexDirection: 'column',
    gap: token.marginXS,
    padding: `${Math.max(token.paddingXS, 8)}px ${Math.max(token.paddingSM, 12)}px`,
    paddingInlineEnd: COVERED,
    border: `1px solid ${token.colorPrimaryBorder}`,
    borderRadius: token.borderRadius,
    // On which links are readable, in dark, too.
    background: token.colorBgContainer,
    boxShadow: token.boxShadowSecondary,
  });
