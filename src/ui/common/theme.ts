import type { GlobalToken, ThemeConfig } from 'antd';

/** Minimum contrast between text and background (WCAG 2 AA). */
const READABLE = 4.5;

function luminance(color: string): number {
  const digits = color.length === 4 ? color.replace(/[\da-f]/gi, '$&$&') : color;
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(digits.slice(at, at + 2), 16) / 255;
    return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

/** @param one, other as `#rrggbb` or `#rgb` */
export function contrast(one: string, other: string): number {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

const readable = (grounds: string[], ...colors: string[]) =>
  colors.find((color) => grounds.every((ground) => contrast(color, ground) >= READABLE)) ?? colors[0];

/** By theme: each line of a plot asks for them. */
const readableOf = new WeakMap<GlobalToken, ReturnType<typeof readableColors>>();

/** Colors of buttons and links without a background of their own, also readable in a selected row. */
export function readableColors(token: GlobalToken): Record<'link' | 'danger' | 'warning', string> {
  const known = readableOf.get(token);
  if (known) return known;
  const grounds = [token.colorBgContainer, token.controlItemBgActive];
  const found = {
    link: readable(grounds, token.colorLink, token.colorLinkActive, token.colorPrimaryTextHover),
    danger: readable(grounds, token.colorError, token.colorErrorTextHover, token.red7, token.red8),
    warning: readable(grounds, token.colorWarningText, token.gold8, token.gold9),
  };
  readableOf.set(token, found);
  return found;
}

/** The least height and width of what is pressed (WCAG 2.2, 2.5.8), in px. */
export const TARGET = 24;
/** The least distance of what stands side by side, in px. */
const GAP = 8;

/** The sizes of the host's theme, which may be its compact one, but no target and no distance that is too small. */
function roomyTheme(token: GlobalToken): ThemeConfig {
  const handle = TARGET - 4;
  return {
    token: {
      controlHeightSM: Math.max(token.controlHeightSM, TARGET),
      paddingXS: Math.max(token.paddingXS, GAP),
      marginXS: Math.max(token.marginXS, GAP),
    },
    components: {
      Switch: { trackHeight: TARGET, trackPadding: 2, handleSize: handle, trackMinWidth: 2 * TARGET },
    },
  };
}

/** The host's theme, with a readable tone of a color where the host's choice is not readable, and room for fingers. */
export function readableTheme(token: GlobalToken): ThemeConfig {
  const { link, danger, warning } = readableColors(token);
  const roomy = roomyTheme(token);
  const primary = readable([token.colorTextLightSolid], token.colorPrimary, token.colorPrimaryActive);
  const dangerColor = readable([danger], token.colorTextLightSolid, token.colorBgContainer);
  return {
    token: {
      ...roomy.token,
      colorTextDescription: token.colorTextSecondary,
      colorTextPlaceholder: token.colorTextSecondary,
    },
    components: {
      ...roomy.components,
      Button: { colorLink: link, colorLinkHover: link, colorError: danger, dangerColor, colorPrimary: primary },
      Typography: { colorLink: link, colorLinkHover: link, colorError: danger, colorWarning: warning },
      Tabs: { itemSelectedColor: link },
      Form: { colorError: danger },
      Dropdown: { colorError: danger, colorTextLightSolid: dangerColor },
      Radio: { colorPrimary: link, colorPrimaryHover: link },
    },
  };
}
