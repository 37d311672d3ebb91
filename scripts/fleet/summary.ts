import type { Fleet } from './fleet';
import type { Instance } from './instance';

/** The summary on the terminal once everything runs. */
export function summaryOf(
  fleet: Pick<
    Fleet,
    'door' | 'url' | 'supervisor' | 'instances' | 'postgres' | 'postgresServer' | 'redis' | 'redisUrl' | 'home'
  >,
): string {
  const { user, password, host, port } = fleet.postgresServer;
  // The passwords of the user's own servers must not be shown.
  const secret = fleet.postgres ? `:${password}` : '';
  const rows = [
    ...(fleet.door
      ? [['NocoBase', `${fleet.url}   ${login(fleet.supervisor)}`]]
      : fleet.instances.map((instance) => [instance.name, `${instance.url}   ${login(instance)}`])),
    ['PostgreSQL', `postgres://${user}${secret}@${host}:${port}`],
    ...(fleet.redisUrl ? [['Redis', fleet.redis ? fleet.redisUrl : withoutPassword(fleet.redisUrl)]] : []),
    ['Data, logs', fleet.home],
  ];
  return `\n${rows.map(([name, value]) => `  ${name.padEnd(16)}${value}`).join('\n')}\n\n  Ctrl-C stops everything.\n`;
}

const login = ({ admin }: Pick<Instance, 'admin'>): string => `${admin.email} / ${admin.password}`;

function withoutPassword(address: string): string {
  const url = new URL(address);
  url.password = '';
  return url.href;
}
