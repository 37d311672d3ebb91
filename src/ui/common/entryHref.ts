/**
 * Where an entry leads. The server may not know the port that it is reached at from outside: a custom domain is then taken
 * to be served at the one of the page that shows the entry.
 *
 * @param port empty where the scheme says it
 */
export const entryHref = (url: string, port: string = window.location.port): string =>
  port ? url.replace(/^(\/\/[^/:]+)(?=\/)/, `$1:${port}`) : url;
