/** An address that a Worker reports: http(s) or empty. A page makes a link of it. */
export const HTTP_ADDRESS = /^(?:https?:\/\/[^\s"'<>\\]+)?$/i;

/**
 * An address with what only a browser would use left out, as URL writes it: equal addresses are equal texts, in whatever form an IP address is
 * written. @returns null if it is none of http(s), or has a user, a query or a fragment
 */
export function httpAddress(text: string): string | null {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !/^https?:$/.test(url.protocol) || url.username || url.password || url.search || url.hash) return null;
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '');
}
