/** Where NocoBase's clients are, and to which of them a link leads. */

export interface ClientPaths {
  /** `APP_PUBLIC_PATH`, with trailing slash. */
  publicPath: string;
  /** `APP_MODERN_CLIENT_PREFIX`, without slashes. */
  modernPrefix: string;
  /** Default: `legacy-default`. */
  clientEntryMode?: ClientEntryMode;
}

/**
 * `APP_CLIENT_ENTRY_MODE`: which client NocoBase shows to whoever names none, and whether the classic one is still there (cli-v1/src/util.js).
 */
export const CLIENT_ENTRY_MODES = ['legacy-default', 'modern-default', 'modern-only'] as const;
export type ClientEntryMode = (typeof CLIENT_ENTRY_MODES)[number];

/**
 * The path of the client to which a link leads, with trailing slash.
 * @param from the client that shows the link; null: none does, or it is not known
 */
export function clientPath(
  { publicPath, modernPrefix, clientEntryMode = 'legacy-default' }: ClientPaths,
  from: 'legacy' | 'modern' | null = null,
): string {
  const isModern =
    from === 'modern' || clientEntryMode === 'modern-only' || (from === null && clientEntryMode === 'modern-default');
  return isModern ? `${publicPath}${modernPrefix}/` : publicPath;
}

/** The client of a page, by its path. */
export const clientOf = (page: string, { publicPath, modernPrefix }: ClientPaths): 'legacy' | 'modern' =>
  page.startsWith(`${publicPath}${modernPrefix}/`) ? 'modern' : 'legacy';

/** As they are compared with paths. */
export const clientPathsOf = ({ publicPath, modernPrefix, clientEntryMode }: ClientPaths): ClientPaths => ({
  publicPath: `/${publicPath}/`.replace(/\/+/g, '/'),
  modernPrefix: modernPrefix.replace(/^\/+|\/+$/g, '') || 'v',
  clientEntryMode,
});
