import type { Fleet } from './fleet';

/** The summary on the terminal once everything runs. */
export function summaryOf(
  fleet: Pick<Fleet, 'instances' | 'postgres' | 'postgresServer' | 'redis' | 'redisUrl' | 'home'>,
): string {
  const { user, password, host, port } = fleet.postgresServer;
  // The passwords of the user's own servers must not be shown.
  const secret = fleet.postgres ? `:${password}` : '';
  const rows = [
    ...fleet.instances.map(({ name, url, admin }) => [name, `${url}   ${admin.email} / ${admin.password}`]),
    ['PostgreSQL', `postgres://${user}${secret}@${host}:${port}`],
    ...(fleet.redisUrl ? [['Redis', fleet.redis ? fleet.redisUrl : withoutPassword(fleet.redisUrl)]] : []),
    ['Data, logs', fleet.home],
  ];
  return `\n${rows.map(([name, value]) => `  ${name.padEnd(16)}${value}`).join('\n')}\n\n  Ctrl-C stops everything.\n`;
}

function withoutPassword(address: string): string {
  const url = new URL(address);
  url.password = '';
  return url.href;
}
