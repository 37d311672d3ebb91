/**
 * The link of an entry. The server may not know its public port, so a custom domain gets the port of the page that
 * shows the entry.
 * @param port empty for the default port of the scheme
 */
export const entryHref = (url: string, port: string = window.location.port): string =>
  port ? url.replace(/^(\/\/[^/:]+)(?=\/)/, `$1:${port}`) : url;
