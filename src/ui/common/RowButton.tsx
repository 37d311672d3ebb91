import { css, cx } from '@emotion/css';
import { type GlobalToken, Tooltip, theme } from 'antd';
import { type ComponentPropsWithoutRef, forwardRef, type ReactNode, useState } from 'react';
import { useT } from '../host';
import type { Message } from './text';
import { readableColors, TARGET } from './theme';

interface Props extends ComponentPropsWithoutRef<'button'> {
  /** The reason why the action is disabled. The button stays focusable with the keyboard and shows the reason. */
  refused?: Message | null;
  /** What the action does, where its name does not say so; shown like a reason. */
  help?: string;
  isDanger?: boolean;
  children: ReactNode;
}

/**
 * A button in a table's row, with the style of antd's small link button. A page with a hundred antd buttons is slow;
 * this is a plain element, and its tooltip is created on demand.
 */
export const RowButton = forwardRef<HTMLButtonElement, Props & Partial<Record<`data-${string}`, string>>>(
  function RowButton({ refused, help, isDanger, onClick, children, ...rest }, ref) {
    const t = useT();
    const { token } = theme.useToken();
    const [isAsked, setAsked] = useState(false);
    const reason = refused ? t(refused.text, refused.values) : undefined;
    const told = reason ?? help;
    const asks = told && {
      onMouseEnter: () => setAsked(true),
      onMouseLeave: () => setAsked(false),
      onFocus: () => setAsked(true),
      onBlur: () => setAsked(false),
    };
    return (
      <button
        type="button"
        {...rest}
        {...asks}
        ref={ref}
        className={cx(looksOf(token), isDanger && !reason && dangerOf(token))}
        aria-disabled={reason ? true : undefined}
        aria-description={told}
        onClick={reason ? undefined : onClick}
      >
        {children}
        {told && isAsked && (
          <Tooltip title={told} open>
            <span className={COVER} />
          </Tooltip>
        )}
      </button>
    );
  },
);

/** A link in the same style that opens a new tab. */
export function RowLink({ children, ...rest }: ComponentPropsWithoutRef<'a'>) {
  const { token } = theme.useToken();
  return (
    <a target="_blank" rel="noreferrer" {...rest} className={looksOf(token)}>
      {children}
    </a>
  );
}

/** A row of these buttons: its text begins where other text does. */
export function RowButtons({ children }: { children: ReactNode }) {
  const { token } = theme.useToken();
  return <div style={{ display: 'flex', flexWrap: 'wrap', marginInlineStart: -paddingOf(token) }}>{children}</div>;
}

/** Covers its positioned parent element, as an anchor for a popup. */
export const COVER = css({ position: 'absolute', inset: 0, pointerEvents: 'none' });

/** Creates the classes once for each theme. */
const once = (make: (token: GlobalToken) => string) => {
  const made = new WeakMap<GlobalToken, string>();
  return (token: GlobalToken) => {
    const known = made.get(token) ?? make(token);
    made.set(token, known);
    return known;
  };
};

/** At both sides of the text, in px. */
const paddingOf = (token: GlobalToken): number => token.paddingXS - token.lineWidth;

const looksOf = once((token) =>
  css({
    position: 'relative',
    display: 'inline-flex',
    alignItems: 'center',
    justifyContent: 'center',
    gap: 4,
    minWidth: TARGET,
    minHeight: token.controlHeightSM,
    padding: `0 ${paddingOf(token)}px`,
    border: 0,
    borderRadius: token.borderRadiusSM,
    background: 'none',
    color: readableColors(token).link,
    font: 'inherit',
    lineHeight: token.lineHeight,
    whiteSpace: 'nowrap',
    cursor: 'pointer',
    '&:hover': { textDecoration: 'underline' },
    '&:focus-visible': { outline: `${token.lineWidthFocus}px solid ${token.colorPrimaryBorder}`, outlineOffset: 1 },
    '&[aria-disabled]': { opacity: 0.45, cursor: 'not-allowed', textDecoration: 'none' },
  }),
);

const dangerOf = once((token) => css({ color: readableColors(token).danger }));
