import { type ActiveConfig, parseConfig } from '../../src/server/config';
import type { OwnFacts } from '../../src/server/supervisor/checklist/facts';

/** A Supervisor with nothing to complain about, but for these variables. */
export const supervisorConfig = (variables: Record<string, string> = {}): ActiveConfig =>
  parseConfig(
    {
      APP_MODE: 'supervisor',
      APP_DISCOVERY_ADAPTER: 'remote',
      APP_PROCESS_ADAPTER: 'remote',
      APP_COMMAND_ADAPTER: 'redis',
      APP_SUPERVISOR_REDIS_URL: 'redis://:secret@redis:6379/0',
      APP_COMMAND_REDIS_URL: 'redis://:secret@redis:6379/0',
      APP_SUPERVISOR_AES_SECRET_KEY: 'ab'.repeat(32),
      APP_KEY: 'a key of its own',
      DB_DIALECT: 'postgres',
      APP_SUPERVISOR_PUBLIC_URL: 'https://main.example.com',
      APP_SUPERVISOR_APPS_DOMAIN: 'https://apps.example.com',
      ...variables,
    },
    { command: 'start', isMainThread: true },
  ) as ActiveConfig;

export const OWN_FACTS: OwnFacts = { config: supervisorConfig(), ownAdmin: null, hasOpenSignUp: false };
