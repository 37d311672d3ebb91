import type { SupervisorConfig } from '../../config';
import { hasSecret } from '../../redis-address';

/**
 * The values of this process's environment variables that a new worker of this fleet needs. They contain no secrets,
 * and no address that contains one.
 */
export function variablesToJoin({ redis, host }: SupervisorConfig): Record<string, string> {
  const { publicPath, apiBasePath, wsPath, pluginStaticsPath } = host;
  // The core derives the paths from this one unless they are set.
  const below = (path: string) => `${publicPath}${path}`;
  const wanted: [name: string, value: string, isNeeded: boolean][] = [
    ['APP_SUPERVISOR_REDIS_URL', redis.stateUrl, !hasSecret(redis.stateUrl)],
    ['APP_COMMAND_REDIS_URL', redis.commandUrl, !hasSecret(redis.commandUrl)],
    ['APP_SUPERVISOR_KEY_PREFIX', redis.prefix, redis.prefix !== 'app-supervisor'],
    ['APP_PUBLIC_PATH', publicPath, publicPath !== '/'],
    ['API_BASE_PATH', apiBasePath, apiBasePath !== below('api/')],
    ['WS_PATH', wsPath, wsPath !== below('ws')],
    ['PLUGIN_STATICS_PATH', pluginStaticsPath, pluginStaticsPath !== below('static/plugins/')],
  ];
  return Object.fromEntries(wanted.filter(([, , isNeeded]) => isNeeded));
}
